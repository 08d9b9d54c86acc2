import { csv } from '../../../shared/csv.ts';
import type { NumberFormat } from '../../../shared/number-formats.ts';
import type { StoredNumber } from '../../../shared/number-in-formats.ts';

const HEAD = [
  'format',
  'bits',
  'sign bits',
  'exponent bits',
  'fraction or integer bits',
  'min',
  'max',
  'eps',
  'smallest normal',
  'smallest subnormal',
  'decimal digits',
  'PyTorch',
  'ONNX',
  'LiteRT',
  'GGUF',
  'CMSIS',
];

/** The facts of the formats as CSV, every figure in full: 64-bit ends to the last digit. */
export function formatsCsv(formats: readonly NumberFormat[]): string {
  const lines = formats.map((format) => {
    const { pytorch, onnx, litert, gguf, cmsis } = format.names;
    return [
      format.name,
      format.bits,
      format.signBits,
      format.exponentBits,
      format.fractionBits,
      end(format, format.min),
      end(format, format.max),
      format.eps,
      format.smallestNormal,
      format.smallestSubnormal,
      format.digits,
      pytorch,
      onnx,
      litert,
      gguf,
      cmsis,
    ];
  });
  return csv([HEAD, ...lines]);
}

/** As a number, which a spreadsheet takes for one. */
function end({ kind }: NumberFormat, text: string): number | bigint {
  return kind === 'signed' || kind === 'unsigned' ? BigInt(text) : Number(text);
}

const VALUE_HEAD = [
  'format',
  'bits',
  'hex',
  'stored',
  'absolute error',
  'relative error',
  'ulps',
  'below',
  'above',
  'past the end',
];

/** What every format makes of a value as CSV; exact decimals and patterns are texts. */
export function valueCsv(rows: readonly StoredNumber[]): string {
  const lines = rows.map((held) => [
    held.format,
    held.bits,
    `0x${held.hex}`,
    held.stored,
    held.absoluteError,
    held.relativeError,
    held.ulps,
    held.below,
    held.above,
    held.overflows ? 'yes' : 'no',
  ]);
  return csv([VALUE_HEAD, ...lines]);
}
