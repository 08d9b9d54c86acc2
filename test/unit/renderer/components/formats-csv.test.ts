import { expect, test } from 'vitest';
import { formatsCsv } from '../../../../renderer/components/formats/formats-csv.ts';
import { NUMBER_FORMATS } from '../../../../shared/number-formats.ts';

test('the formats are copied with every digit, and with nothing that a spreadsheet takes for text', () => {
  const lines = formatsCsv(NUMBER_FORMATS).split('\r\n');
  expect(lines).toHaveLength(NUMBER_FORMATS.length + 2);
  expect(lines.find((line) => line.startsWith('uint64'))).toBe(
    'uint64,64,0,0,64,0,18446744073709551615,,,,,uint64,UINT64,UINT64,,uint64_t',
  );
  expect(lines.find((line) => line.startsWith('float16'))).toBe(
    'float16,16,1,5,10,-65504,65504,0.0009765625,0.00006103515625,5.960464477539063e-8,3,float16,FLOAT16,FLOAT16,F16,float16_t',
  );
  expect(lines.filter((line) => line.includes("'"))).toEqual([]);
});
