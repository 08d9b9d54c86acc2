import { expect, test } from 'vitest';
import { formatsCsv, valueCsv } from '../../../../renderer/components/formats/formats-csv.ts';
import { NUMBER_FORMATS } from '../../../../shared/number-formats.ts';
import { storeEverywhere } from '../../../../shared/number-in-formats.ts';

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

test('a value is copied with its pattern, errors and neighbours in every format', () => {
  const lines = valueCsv(storeEverywhere({ n: 1n, d: 3n })).split('\r\n');
  expect(lines).toHaveLength(NUMBER_FORMATS.length + 2);
  const zeros = (count: number) => '0'.repeat(count);
  expect(lines.find((line) => line.startsWith('q7'))).toBe(
    `q7,00101011,0x2b,0.3359375${zeros(53)},0.0026041666666666665,0.0078125,0.3333333333333333,0.328125${zeros(54)},0.34375${zeros(55)},no`,
  );
});
