import type { Component } from 'svelte';
import type { View } from '../../shared/views.ts';
import type { Workbench } from '../state/workbench.svelte.ts';
import Budget from './Budget.svelte';
import Compare from './Compare.svelte';
import Formats from './Formats.svelte';
import Layers from './Layers.svelte';
import Run from './Run.svelte';
import Welcome from './Welcome.svelte';

type Page = Component<{ workbench: Workbench }>;

/** How the page shows a view. Its name, title and shortcut are in shared/views.ts. */
interface ViewPage {
  readonly page: Page;
  /** What stands in its place while no model is open, under a title of its own and without the top bar. */
  readonly withoutModel?: { readonly title: string; readonly page: Page };
  /** Whether the recipes stand above it. */
  readonly hasRecipes: boolean;
  /** Whether its figures are of the export mode that the status bar offers. */
  readonly hasMode: boolean;
}

export const PAGES: Readonly<Record<View, ViewPage>> = {
  layers: {
    page: Layers,
    withoutModel: { title: 'Welcome', page: Welcome },
    hasRecipes: true,
    hasMode: true,
  },
  compare: { page: Compare, hasRecipes: true, hasMode: true },
  budget: { page: Budget, hasRecipes: true, hasMode: true },
  run: { page: Run, hasRecipes: true, hasMode: false },
  formats: { page: Formats, hasRecipes: false, hasMode: false },
};
