/** Samples, or steps of a sequence, that a source and its copy are run on: what a preparation does wrong it does to each. */
export const CHECKED_SAMPLES = 2;
