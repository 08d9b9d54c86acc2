import { spawnSync, type SpawnSyncReturns } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import type { Jobs } from '../../../electron/engine/jobs.ts';
import { WorkerPool } from '../../../electron/engine/pool.ts';
import { Session } from '../../../electron/engine/session.ts';
import { ioError } from '../../../shared/errors.ts';
import { CLI_SCRIPT, WORKER_SCRIPT } from '../../helpers/engine.ts';
import { recipe } from '../../helpers/export.ts';
import { floats, safetensorsFile } from '../../helpers/safetensors.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';

const folder = temporaryFolder();
const signal = new AbortController().signal;

/** Its workers write to a device that is always full, in place of the temporary file of an export. */
class FullDiskPool extends WorkerPool {
  override run<K extends keyof Jobs>(
    job: K,
    params: Jobs[K]['params'],
    options: Parameters<WorkerPool['run']>[2],
  ): Promise<Jobs[K]['result']> {
    if (job === 'encode') {
      const { codes } = (params as Jobs['encode']['params']).place;
      fs.rmSync(codes!.path, { force: true });
      fs.symlinkSync('/dev/full', codes!.path);
    }
    return super.run(job, params, options);
  }
}

const pool = new FullDiskPool(WORKER_SCRIPT, 1);
afterAll(() => pool.close());

/** A model of one matrix in a folder of its own. */
function model(name: string, rows = 64): { where: string; file: string } {
  const where = path.join(folder, name);
  fs.mkdirSync(where);
  const file = writeFile(
    where,
    safetensorsFile({ 'a.weight': floats([rows, 64]) }),
    'm.safetensors',
  );
  return { where, file };
}

test.each([
  ['codes', 'int8', 'qdq'],
  ['casts', 'float16', 'float'],
] as const)('a disk that is full for a worker: %s name the target', async (_, preset, mode) => {
  const { where, file } = model(preset);
  const out = path.join(where, 'out.safetensors');
  fs.writeFileSync(out, 'old');
  const session = Session.open(file, pool);
  const failed = session.export(recipe(preset), mode, out, { signal, overwrite: true });
  await expect(failed).rejects.toMatchObject({
    code: 'IO',
    message: `${out}: cannot be written (found no space left on the disk)`,
    details: { file: out },
  });
  session.close();
  expect(fs.readdirSync(where).sort()).toEqual(['m.safetensors', 'out.safetensors']);
  expect(fs.readFileSync(out, 'utf8')).toBe('old');
});

/** The command line under limits of the shell. */
function limited(limits: string, ...args: string[]): SpawnSyncReturns<string> {
  return spawnSync(
    'bash',
    ['-c', `${limits}; exec "$0" "$@"`, process.execPath, CLI_SCRIPT, ...args],
    {
      encoding: 'utf8',
    },
  );
}

test('a limit on the size of files, which a worker meets, names the target', () => {
  const { where, file } = model('limit', 16384);
  const out = path.join(where, 'out.safetensors');
  // Without the trap the signal of the limit would end the process.
  const { status, stderr } = limited(
    "trap '' XFSZ; ulimit -f 512",
    ...['export', file, '--recipe', 'int8', '--out', out],
  );
  expect(stderr).toBe(
    `quantscope: IO: ${out}: cannot be written (found a file larger than the system allows)\n`,
  );
  expect(status).toBe(1);
  expect(fs.readdirSync(where)).toEqual(['m.safetensors']);
});

test('a limit on open files is an IO error that names the file', () => {
  const where = path.join(folder, 'shards');
  fs.mkdirSync(where);
  const weights = Array.from(
    { length: 200 },
    (_, at) => [`w${at}.weight`, `s${at}.safetensors`] as const,
  );
  for (const [name, shard] of weights)
    writeFile(where, safetensorsFile({ [name]: floats([4]) }), shard);
  const file = path.join(where, 'model.safetensors.index.json');
  fs.writeFileSync(file, JSON.stringify({ weight_map: Object.fromEntries(weights) }));
  const out = path.join(where, 'out.safetensors.index.json');
  const args = ['export', file, '--recipe', 'int8', '--out', out];
  const { status, stderr } = limited('ulimit -n 64', ...args);
  expect(stderr).toMatch(
    /^quantscope: IO: .*\/s\d+\.safetensors: cannot be opened \(found too many open files in this process\)\n$/,
  );
  expect(status).toBe(1);
});

test('a file that cannot be linked to another disk says so', () => {
  const link = (): void => fs.linkSync('/proc/self/status', path.join(folder, 'status'));
  let error: unknown;
  try {
    link();
  } catch (thrown) {
    error = ioError('cannot be put in place', 'status', thrown);
  }
  expect(error).toMatchObject({
    code: 'IO',
    message: 'status: cannot be put in place (found two different disks)',
  });
});
