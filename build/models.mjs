import { copyFileSync, existsSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { cache } from './paths.mjs';
import { fetchRegistryPackage } from './registry-package.mjs';

/** A test model whose package must come without its dependencies. */
const HELLO_DEEPA = {
  name: 'openwakeword-js',
  version: '0.1.27',
  integrity:
    'sha512-/xGF1SkO28aOlbr8lawLNBQwbzCMoiSvLoK2E3DB2rQxl6RIVEtYnjxCGW1/EtCI8fusu3uZuQhlh0a9fq2clQ==',
  file: 'models/hello_deepa.onnx',
};

/** Fetch the test models that are not dependencies. */
export function ensureModels() {
  const target = path.join(cache, 'models', path.basename(HELLO_DEEPA.file));
  if (existsSync(target)) return;
  const source = fetchRegistryPackage(HELLO_DEEPA.name, HELLO_DEEPA.version, HELLO_DEEPA.integrity);
  mkdirSync(path.dirname(target), { recursive: true });
  copyFileSync(path.join(source, HELLO_DEEPA.file), target);
}
