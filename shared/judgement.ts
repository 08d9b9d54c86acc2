import type { NonFinite } from './verification.ts';

/** Below this SQNR the error of an output is a third of its size or more: the answers are others. */
const STRONG_DB = 10;
/** Below this SQNR the error of an output is a tenth of its size or more. */
const VISIBLE_DB = 20;

/** How an output differs, after "the outputs" or "its values": strongly or visibly; null where it does not. */
export function differenceInWords(sqnrDb: number | null): string | null {
  if (sqnrDb === null || !(sqnrDb < VISIBLE_DB)) return null;
  return sqnrDb < STRONG_DB
    ? "differ strongly from the original's"
    : "differ visibly from the original's";
}

/** Below this share of equal values an output of integers or text differs in a tenth of its values or more. */
const VISIBLE_SHARE = 0.9;

/** How many values of an output of integers or text differ, after its name; null where few do, and for floats. */
export function shareInWords(equalShare: number | null): string | null {
  if (equalShare === null || equalShare >= VISIBLE_SHARE) return null;
  return `${percent(1 - equalShare)} % of its values differ from the original's`;
}

/** A share in percent; only all of them are 100.0. */
export function percent(share: number): string {
  return (share < 1 ? Math.min(share * 100, 99.9) : 100).toFixed(1);
}

/** An output as it is judged. */
interface Judged {
  readonly sqnrDb: number | null;
  readonly equalShare: number | null;
  readonly inconclusive: boolean;
  readonly nonFinite: Pick<NonFinite, 'newNaN' | 'newInfinity' | 'lost'>;
}

/** What is wrong with the outputs of an export as a whole, after "Written, but"; null where nothing is. */
export function verdict(outputs: readonly Judged[]): string | null {
  if (outputs.some(({ nonFinite }) => nonFinite.newNaN + nonFinite.newInfinity > 0))
    return 'its outputs have NaN or infinite values that the original does not have';
  let worst: number | null = null;
  if (outputs.some(({ nonFinite }) => nonFinite.lost > 0))
    return 'the original has NaN or infinite values that its outputs do not have';
  const conclusive = outputs.filter(({ inconclusive }) => !inconclusive);
  for (const { sqnrDb, equalShare } of conclusive)
    if (equalShare === null && sqnrDb !== null && !(worst !== null && worst <= sqnrDb))
      worst = sqnrDb;
  const words = differenceInWords(worst);
  if (words !== null) return `its outputs ${words}`;
  return conclusive.some(({ equalShare }) => shareInWords(equalShare) !== null)
    ? 'an output differs in a tenth of its values or more'
    : null;
}
