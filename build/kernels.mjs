// Compiles the AssemblyScript kernels to WASM with SIMD. Alone: node build/kernels.mjs
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import asc from 'assemblyscript/asc';
import { root } from './paths.mjs';

const ENTRY = 'electron/engine/kernels/assembly/index.ts';

// The kernels allocate nothing and check no bounds: their caller lays out the memory.
const OPTIONS = [
  '-O3',
  '--enable',
  'simd',
  '--runtime',
  'stub',
  '--noAssert',
  '--importMemory',
  // Helper functions pass vectors to each other; none that JavaScript calls does.
  '--disableWarning',
  '112',
];

/** The compiled module's bytes. */
export async function compileKernels() {
  let binary;
  const { error, stderr } = await asc.main(
    [ENTRY, '--baseDir', root, '--config', 'none', '--outFile', 'kernels.wasm', ...OPTIONS],
    { writeFile: (_name, contents) => void (binary = contents) },
  );
  if (error !== null) throw new Error(`the kernels do not compile:\n${stderr.toString()}`);
  const warnings = stderr.toString();
  if (warnings !== '') console.warn(warnings);
  return binary;
}

/** Writes kernels.wasm, which the worker reads from beside itself. */
export async function buildKernels(outDir) {
  const binary = await compileKernels();
  mkdirSync(outDir, { recursive: true });
  writeFileSync(path.join(outDir, 'kernels.wasm'), binary);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href)
  await buildKernels(path.join(root, 'dist'));
