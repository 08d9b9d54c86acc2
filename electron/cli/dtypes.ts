import { NUMBER_FORMATS } from '../../shared/number-formats.ts';
import { printJson } from './json.ts';
import { print, toTable } from './output.ts';
import { wantsJson } from './usage.ts';

/** quantscope dtypes [--json] */
export function dtypes(args: string[]): void {
  if (wantsJson(args)) {
    printJson(NUMBER_FORMATS);
    return;
  }
  const rows = NUMBER_FORMATS.map((format) => [
    format.name,
    `${format.signBits}+${format.exponentBits}+${format.fractionBits}`,
    format.min,
    format.max,
    String(format.eps ?? '-'),
  ]);
  const head = ['format', 'sign+exponent+fraction', 'min', 'max', 'eps'];
  print(toTable([head, ...rows], new Set([1, 2, 3, 4])));
}
