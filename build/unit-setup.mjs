// Unit tests run dist/ too: the command line, the kernels, the workers. They must run today's.
export { ensureBuilt as default } from './freshness.mjs';
