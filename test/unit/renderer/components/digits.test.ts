import { expect, test } from 'vitest';
import { agreeingDigits } from '../../../../renderer/components/formats/digits.ts';

test.each([
  ['0.3359375', '0.3333333', 4],
  ['-123456792.0', '-123456789.1', 8],
  ['127.0', '1000.0', 0],
  ['7.0', '-7.0', 0],
  ['inf', '1000.0', 0],
  ['0.25', '0.25', 4],
])('of %s and %s %d characters agree', (stored, exact, count) => {
  expect(agreeingDigits(stored, exact)).toBe(count);
});
