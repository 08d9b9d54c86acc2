import { spawn, spawnSync, type SpawnSyncReturns } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { describe, expect, test } from 'vitest';
import { findPreset } from '../../../shared/presets.ts';
import { writeBigModel } from '../../helpers/big-model.ts';
import { runCommand as run } from '../../helpers/command-line.ts';
import { CLI_SCRIPT } from '../../helpers/engine.ts';
import { writeExternalModel } from '../../helpers/external-model.ts';
import { digests } from '../../helpers/safetensors-export.ts';
import { temporaryFolder } from '../../helpers/temporary.ts';

const folder = temporaryFolder();
let count = 0;

function shell(command: string, ...args: string[]): SpawnSyncReturns<string> {
  return spawnSync('bash', ['-c', command, process.execPath, CLI_SCRIPT, ...args], {
    encoding: 'utf8',
  });
}

/** A model with external data and a recipe, in a folder of its own. */
function inputs(): { where: string; model: string; data: string; recipe: string } {
  const model = writeExternalModel(folder, `case-${count++}`);
  const where = path.dirname(model);
  const recipe = path.join(where, 'r.json');
  fs.writeFileSync(recipe, JSON.stringify(findPreset('int8')));
  return { where, model, data: path.join(where, 'weights.bin'), recipe };
}

describe('the target of every command', () => {
  test.each<[string, (files: ReturnType<typeof inputs>) => string[]]>([
    ['analyze --csv', ({ model, recipe }) => ['analyze', model, '--recipe', recipe, '--csv']],
    [
      'plan --out',
      ({ model, recipe }) => ['plan', model, '--recipe', recipe, '--min-sqnr', '20', '--out'],
    ],
    ['export --out', ({ model, recipe }) => ['export', model, '--recipe', recipe, '--out']],
  ])('is not the model, a part of it or the recipe: %s', async (_, command) => {
    const files = inputs();
    const before = digests(files.where);
    for (const target of [files.model, files.data, files.recipe]) {
      const { status, stderr } = await run(...command(files), target);
      expect(stderr).toMatch(
        /^quantscope: TARGET: .*: is (the model itself or one of its files|the recipe); choose another name/,
      );
      expect(status).toBe(1);
    }
    expect(digests(files.where)).toEqual(before);
  });

  test('takes --overwrite to replace a file that has the name of a side file', async () => {
    const { where, model } = inputs();
    const [out, data] = [path.join(where, 'o.onnx'), path.join(where, 'o.onnx.data')];
    fs.writeFileSync(data, 'mine');
    const refused = await run('export', model, '--recipe', 'int8', '--out', out);
    expect([refused.status, refused.stderr]).toEqual([
      1,
      expect.stringMatching(/^quantscope: TARGET: .*o\.onnx\.data.*--overwrite/),
    ]);
    expect(fs.existsSync(out)).toBe(false);
    expect(
      (await run('export', model, '--recipe', 'int8', '--out', out, '--overwrite')).status,
    ).toBe(0);
    expect(fs.existsSync(data)).toBe(false);
    expect((await run('inspect', out)).status).toBe(0);
  });

  test('may be a stream: CSV goes to /dev/stdout', () => {
    const { model } = inputs();
    const { status, stdout } = shell(
      '"$0" "$1" analyze "$2" --recipe int8 --csv /dev/stdout | cat; exit ${PIPESTATUS[0]}',
      model,
    );
    expect([status, stdout]).toEqual([0, expect.stringMatching(/^recipe,name,/)]);
  });
});

describe('what the system refuses is an IO error, never INTERNAL', () => {
  test.each([
    ['a name of over 255 bytes', () => 'x'.repeat(300), /a name that is too long/],
    ['a link that leads to itself', (where: string) => link(where), /a loop of symbolic links/],
  ])('as model, recipe and target: %s', async (_, nameIn, pattern) => {
    const { where, model } = inputs();
    const bad = path.join(where, nameIn(where));
    for (const args of [
      ['inspect', bad],
      ['analyze', model, '--recipe', bad],
      ['analyze', model, '--recipe', 'int8', '--csv', bad],
      ['export', model, '--recipe', 'int8', '--out', bad],
    ]) {
      const { status, stderr } = await run(...args);
      expect(stderr).toMatch(/^quantscope: IO: /);
      expect(stderr).toMatch(pattern);
      expect(stderr.trimEnd()).not.toContain('\n');
      expect(status).toBe(1);
    }
  });

  function link(where: string): string {
    fs.symlinkSync('loop', path.join(where, 'loop'));
    return 'loop';
  }
});

describe('standard output', () => {
  test('that cannot be written ends with status 1 and says why', () => {
    const { model } = inputs();
    const { status, stderr } = shell('"$0" "$1" inspect "$2" > /dev/full', model);
    expect(stderr).toBe(
      'quantscope: IO: standard output: cannot be written (found no space left on the disk)\n',
    );
    expect(status).toBe(1);
  });

  test('whose reader has enough ends quietly', () => {
    const { status, stdout, stderr } = shell(
      'set -o pipefail; { "$0" "$1" dtypes --json; "$0" "$1" recipes; "$0" "$1" number 1; } | head -c 1',
    );
    expect([status, stdout, stderr]).toEqual([0, '[', '']);
  });
});

describe('a signal', () => {
  test.each([
    ['SIGINT', 130, 1],
    ['SIGTERM', 143, 1],
    ['SIGHUP', 129, 1],
    ['SIGINT', 130, 2],
  ] as const)(
    '%s during an export ends it with status %i and leaves no file, sent %i times',
    async (signal, status, times) => {
      const where = path.join(folder, `${signal}-${times}`);
      fs.mkdirSync(where);
      const model = path.join(where, 'big.onnx');
      writeBigModel(model, 16, 2048, 1024);
      const out = path.join(where, 'out.onnx');
      const child = spawn(
        process.execPath,
        [CLI_SCRIPT, 'export', model, '--recipe', 'int8', '--out', out],
        { stdio: 'ignore' },
      );
      let sent = 0;
      const watcher = setInterval(() => {
        const isWriting = fs.readdirSync(where).some((name) => name.endsWith('.tmp'));
        if (sent < times && (isWriting || sent > 0)) {
          child.kill(signal);
          sent++;
        }
      }, 2);
      const ended = await new Promise<number | null>((resolve) => {
        child.on('exit', resolve);
      });
      clearInterval(watcher);
      expect(sent).toBeGreaterThan(0);
      expect(ended).toBe(status);
      expect(fs.readdirSync(where)).toEqual(['big.onnx']);
    },
  );
});

test('a key that comes twice in a recipe is an error', async () => {
  const { where, model } = inputs();
  const file = path.join(where, 'twice.json');
  fs.writeFileSync(
    file,
    '{"version":1,"name":"x","default":{"dtype":"int8","symmetric":true,"granularity":"tensor","range":"minmax","dtype":"int4"},"minElements":1,"rules":[]}',
  );
  const { status, stderr } = await run('analyze', model, '--recipe', file);
  expect(stderr).toMatch(
    /^quantscope: BAD_RECIPE: .*twice\.json, default: a key stands twice \(found dtype/,
  );
  expect(status).toBe(1);
});
