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

/** An output as it is judged. */
interface Judged {
  readonly sqnrDb: number | null;
  readonly inconclusive: boolean;
  readonly nonFinite: { readonly newNaN: number; readonly newInfinity: number };
}

/** What is wrong with the outputs of an export as a whole, after "Written, but"; null where nothing is. */
export function verdict(outputs: readonly Judged[]): string | null {
  if (outputs.some(({ nonFinite }) => nonFinite.newNaN + nonFinite.newInfinity > 0))
    return 'its outputs have NaN or infinite values that the original does not have';
  let worst: number | null = null;
  for (const { sqnrDb, inconclusive } of outputs)
    if (!inconclusive && sqnrDb !== null && !(worst !== null && worst <= sqnrDb)) worst = sqnrDb;
  const words = differenceInWords(worst);
  return words === null ? null : `its outputs ${words}`;
}
