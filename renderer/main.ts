import '@fontsource-variable/inter';
import { mount } from 'svelte';
import App from './App.svelte';
import './styles/tokens.css';
import './styles/base.css';

const target = document.getElementById('app');
if (target === null) throw new Error('the page has no place for the app');
// Columns are as wide as their texts, so that the font must be there before they are measured.
void document.fonts.load('12px "Inter Variable"').finally(() => mount(App, { target }));
