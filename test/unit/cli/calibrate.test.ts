import * as path from 'node:path';
import { expect, test } from 'vitest';
import { ifModel } from '../../helpers/body-models.ts';
import { runCommand as run } from '../../helpers/command-line.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';

const folder = temporaryFolder();

test('calibrate says how many values were observed, why others were not, and what stays in float for it', async () => {
  const out = path.join(folder, 'ranges.json');
  const model = writeFile(folder, ifModel());
  const { stdout } = await run('calibrate', model, '--samples', '1', '--out', out);
  expect(stdout).toMatch(/ranges of \d+ of \d+ values, observed on 1 sample\n/);
  expect(stdout).toMatch(/^\d+ not observed: was not computed in any sample$/m);
  expect(stdout).toContain(
    '2 operators stay in float for want of a range; give samples that reach them',
  );
  const json = await run('calibrate', model, '--samples', '1', '--out', out, '--json');
  expect(JSON.parse(json.stdout)).toMatchObject({ samples: 1, withoutRange: 2 });
});
