// Numbers as they are typed into fields: in the language that the window writes them in.
import { numberMarks } from './number-marks.svelte.ts';
import { MINUS } from './numbers.ts';

/** A number with whatever marks stand in it: what is between the signs and letters of 1e-3, 1/3 and 0xff. */
const FIGURE = /[.,]?\d[\d.,'’\s]*/g;
/** Between thousands in every language: neither is a decimal mark anywhere. */
const NEUTRAL = /['’\s]/;
/** Either thousands or a decimal: the language tells. */
const AMBIGUOUS = /^[1-9]\d{0,2}[.,]\d{3}$/;

/**
 * Typed text as every programming language writes it: with a point before decimals, nothing between thousands, and
 * an ASCII minus. Marks that another language has are read where they can mean only one thing (0,5 and 0.5).
 * What is no number stays as it is, so that whoever parses it refuses it.
 */
export function plainText(typed: string): string {
  return typed.trim().replaceAll(MINUS, '-').replace(FIGURE, plainFigure);
}

function plainFigure(figure: string): string {
  const text = figure.trimEnd();
  const { group, decimal } = numberMarks();
  const [whole = '', decimals] = splitOnce(text, decimal);
  const joined = joinThousands(whole, group);
  if (joined !== null && (decimals === undefined || /^\d*$/.test(decimals)))
    return decimals === undefined ? joined : `${joined}.${decimals}`;
  if (/^\d*[.,]\d*$/.test(text) && !AMBIGUOUS.test(text)) return text.replace(',', '.');
  return figure;
}

function splitOnce(text: string, mark: string): readonly string[] {
  const at = text.indexOf(mark);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + mark.length)];
}

/** A whole number without the marks between its thousands; null where a mark stands elsewhere. */
function joinThousands(text: string, group: string): string | null {
  const parts = text.split(text.includes(group) ? group : NEUTRAL);
  const [first = '', ...rest] = parts;
  if (parts.some((part) => !/^\d*$/.test(part))) return null;
  if (rest.length === 0) return first;
  const isGrouped = /^[1-9]\d{0,2}$/.test(first) && rest.every((part) => part.length === 3);
  return isGrouped ? parts.join('') : null;
}

/** The number that was typed; NaN where it is none. */
export function typedNumber(typed: string): number {
  const text = plainText(typed);
  return text === '' ? NaN : Number(text);
}

/** A number, or the plain text of one, as it stands in a field: nothing between thousands, as it is to be edited. */
export function fieldText(plain: string | number): string {
  return String(plain).replaceAll('.', numberMarks().decimal);
}
