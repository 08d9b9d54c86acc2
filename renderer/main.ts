import '@fontsource-variable/inter';
import { mount } from 'svelte';
import App from './App.svelte';
import { prepareMeasuring } from './components/measure.ts';
import './styles/tokens.css';
import './styles/base.css';

const target = document.getElementById('app');
if (target === null) throw new Error('the page has no place for the app');
// Columns are as wide as their texts, so that the font must be there before they are measured: its Latin and its Greek
// part. A letter that is missing while its part loads is looked for in the system's fonts, which takes 100 ms at a start.
void document.fonts.load('12px "Inter Variable"', 'aΔ').finally(() => {
  prepareMeasuring();
  mount(App, { target });
});
