import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { EngineServer } from '../../../electron/engine/server.ts';
import { agreedShare, type Answer } from '../../../shared/answers.ts';
import type { ShownAs } from '../../../shared/protocol.ts';
import { findPreset } from '../../../shared/presets.ts';
import { testPool } from '../../helpers/engine.ts';
import { Page } from '../../helpers/engine-page.ts';
import { npyFile } from '../../helpers/npy.ts';
import { floats, lineReaderModel, randomValues } from '../../helpers/onnx-model.ts';
import { sharedRuntime } from '../../helpers/shared-runtime.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';

const pool = testPool();
const int4 = { ...findPreset('int4-block32')!, minElements: 0 };
const CHARACTERS = 'abcdefghijklmnopqrstuvwxyz';
const CLASSES = CHARACTERS.length + 2;
/** Lines that are read, of so many columns. */
const WIDTHS = [40, 64, 40];

/** A reader of lines with its dictionary beside it, the lines, and a page that has it open. */
async function opened(dictionary = 'keys.txt') {
  const folder = temporaryFolderOfTest();
  const model = writeFile(folder, lineReaderModel(CLASSES), 'reader.onnx');
  writeFile(folder, Buffer.from([...CHARACTERS].join('\n') + '\n'), dictionary);
  const lines = path.join(folder, 'lines');
  fs.mkdirSync(lines);
  for (const [at, width] of WIDTHS.entries())
    writeFile(
      lines,
      npyFile('<f4', [1, 3, 8, width], floats(randomValues(24 * width, at))),
      `${at}.npy`,
    );
  const server = new EngineServer(pool, sharedRuntime);
  const grant = (handle: string, file: string) =>
    server.grant({ type: 'grant', handle, path: file, use: 'read' });
  grant('model', model);
  grant('lines', lines);
  const page = new Page(server);
  pages.push(page);
  await page.ask('open', { handle: 'model' });
  return { page, folder, grant };
}

/** Closed after each test: what a model's runs gave is deleted with it. */
const pages: Page[] = [];
afterEach(async () => {
  for (const page of pages.splice(0))
    for (const handle of ['model', 'tokens']) await page.ask('close', { handle });
});

const shared = temporaryFolder();
let count = 0;
function temporaryFolderOfTest(): string {
  const folder = path.join(shared, String(count++));
  fs.mkdirSync(folder);
  return folder;
}

const inputs = { samples: 2, seed: 0, inputs: 'lines' };
const asked = { handle: 'model', recipe: int4, mode: 'qdq', keep: 'a', ...inputs } as const;
const as = (kind: ShownAs['kind'], names: string | null = null): ShownAs[] => [
  { output: 'y', kind, names, order: null },
];
const texts = (answer: Answer | null): string[] => {
  if (answer?.kind !== 'ctc') throw new Error(`no text: ${answer?.kind}`);
  return [answer.before, answer.after].map((side) => side.map(({ text }) => text).join(''));
};

describe('answers of a run', () => {
  test('are texts by the dictionary beside the model, of each sample, with the picture that was read', async () => {
    const { page } = await opened();
    const result = await page.ask('run', asked);
    expect(result.kept).toBe(3);
    const shown = { handle: 'model', slot: 'a', shown: [] } as const;
    let [wrong, of, same] = [0, 0, 0];
    for (const [sample, width] of WIDTHS.entries()) {
      const { outputs, ...facts } = await page.ask('answers', { ...shown, sample });
      expect(facts).toMatchObject({ sample, kept: 3, file: `${sample}.npy` });
      expect(facts.input).toMatchObject({ kind: 'picture', name: 'x', width, height: 8 });
      const [output] = outputs;
      expect(output).toMatchObject({
        name: 'y',
        kind: 'ctc',
        isGuess: true,
        names: 'keys.txt',
        note: null,
      });
      const [before, after] = texts(output!.answer);
      // Column by column with numpy's argmax: see the golden tests of CTC. Here both sides are real runs.
      expect(before!.length).toBeGreaterThan(20);
      expect(before).toMatch(/^[a-z ]+$/);
      expect(after).not.toBe('');
      wrong += output!.agreement!.wrong;
      of += before!.length;
      same += before === after ? 1 : 0;
    }
    const [total] = await page.ask('agreement', shown);
    expect(total).toEqual({
      ...{ output: 'y', kind: 'ctc', sameSamples: same, samples: 3 },
      agreement: { wrong, of, unit: 'characters' },
    });
    // Codes of four bits change some of the characters, not most.
    expect(agreedShare(total!.agreement!)).toBeGreaterThan(0.5);
    expect(wrong).toBeGreaterThan(0);
  });

  test('are shown as what is chosen, without another run', async () => {
    const { page, folder, grant } = await opened('other.txt');
    await page.ask('run', asked);
    const shown = { handle: 'model', slot: 'a', sample: 0 } as const;
    const first = await page.ask('answers', { ...shown, shown: [] });
    // No name of a dictionary: what the output is cannot be told.
    expect(first.outputs[0]).toMatchObject({ kind: 'numbers', names: null });
    const asText = await page.ask('answers', { ...shown, shown: as('ctc') });
    expect(asText.outputs[0]).toMatchObject({
      ...{ kind: 'ctc', isGuess: false, answer: { kind: 'numbers' } },
      note: 'Choose a dictionary, one character a line, to read the text.',
    });
    grant('names', path.join(folder, 'other.txt'));
    const read = await page.ask('answers', { ...shown, shown: as('ctc', 'names') });
    expect(read.outputs[0]).toMatchObject({ kind: 'ctc', names: 'other.txt' });
    const picture = await page.ask('answers', { ...shown, shown: as('picture') });
    expect(picture.outputs[0]!.answer).toMatchObject({ kind: 'picture', range: [0, 1] });
    writeFile(folder, Buffer.from('a\nb\n'), 'short.txt');
    grant('short', path.join(folder, 'short.txt'));
    const short = await page.ask('answers', { ...shown, shown: as('ctc', 'short') });
    expect(short.outputs[0]!.note).toBe(
      `The dictionary has 2 entries and the output ${CLASSES} classes; it must have ${CLASSES}, or one or two fewer.`,
    );
  });

  test('are tokens by the tokenizer beside the model, and by one that is chosen', async () => {
    const { page, folder, grant } = await opened();
    const words = Array.from({ length: 256 }, (_, id) => `"w${id}": ${id}`);
    const content = `{"model": {"type": "WordLevel", "vocab": {${words.join(', ')}}}}`;
    writeFile(folder, Buffer.from(content), 'tokenizer.json');
    grant('tokens', writeFile(folder, lineReaderModel(256), 'tokens.onnx'));
    await page.ask('open', { handle: 'tokens' });
    await page.ask('run', { ...asked, handle: 'tokens' });
    const shown = { handle: 'tokens', slot: 'a', sample: 0 } as const;
    const [output] = (await page.ask('answers', { ...shown, shown: [] })).outputs;
    expect(output).toMatchObject({ kind: 'tokens', isGuess: true, names: 'tokenizer.json' });
    expect(output!.agreement).toMatchObject({ of: WIDTHS[0], unit: 'tokens' });
    if (output?.answer?.kind !== 'tokens') throw new Error('no tokens');
    expect(output.answer.before.map(({ text }) => text).join('')).toMatch(/^(w\d+){40}$/);
    grant('chosen', writeFile(folder, Buffer.from('{}'), 'my-tokenizer.json'));
    await expect(
      page.ask('answers', { ...shown, shown: as('tokens', 'chosen') }),
    ).rejects.toMatchObject({ code: 'MALFORMED' });
  });

  test('of a model beside itself agree in everything', async () => {
    const { page, folder, grant } = await opened();
    grant('same', path.join(folder, 'reader.onnx'));
    await page.ask('verify', { handle: 'model', exported: 'same', keep: 'file', ...inputs });
    const [total] = await page.ask('agreement', { handle: 'model', slot: 'file', shown: [] });
    expect(total).toMatchObject({ agreement: { wrong: 0 }, sameSamples: 3, samples: 3 });
  });

  test('take the place of the run before, and are deleted with the model', async () => {
    const folders = (): string[] =>
      fs
        .readdirSync(os.tmpdir())
        .filter((name) => name.startsWith(`quantscope-run-${process.pid}-`));
    const before = folders().length;
    const { page } = await opened();
    for (let time = 0; time < 2; time++) {
      await page.ask('run', asked);
      expect(folders()).toHaveLength(before + 1);
    }
    await page.ask('close', { handle: 'model' });
    expect(folders()).toHaveLength(before);
    await page.ask('open', { handle: 'model' });
    await expect(
      page.ask('answers', { handle: 'model', slot: 'a', sample: 0, shown: [] }),
    ).rejects.toMatchObject({ code: 'BAD_USAGE' });
  });

  test('refuse a sample that is not kept, a file that was not granted and a kind that there is not', async () => {
    const { page } = await opened();
    await page.ask('run', { ...asked, inputs: null });
    const shown = { handle: 'model', slot: 'a', shown: [] } as const;
    expect(await page.ask('answers', { ...shown, sample: 1 })).toMatchObject({
      file: null,
      kept: 2,
    });
    for (const params of [
      { ...shown, sample: 2 },
      { ...shown, sample: 0, shown: as('ctc', 'never granted') },
      { ...shown, sample: 0, shown: as('riddle' as 'ctc') },
    ])
      await expect(page.ask('answers', params)).rejects.toMatchObject({ code: 'BAD_USAGE' });
  });
});
