// What the loader calls.

export { setGrouping } from './runs';
export { decodeBfloat16, decodeFloat16 } from './decode';
export { addRanges, addSums, resetSums, setRanges, sumsPointer } from './statistics';
export { addFiniteToHistogram, addToHistogram, setBins } from './histogram';
export { errorSums, resetErrorSums } from './sums';
export { encode, setCodes, setFlags, setOutput } from './codes';
export { cast, castInPlace, setCast, setCastOutput } from './casts';
export { countKeys, gather, selectRank, setGathering, setKeys } from './keys';
export { addErrors, setCandidates } from './search';
export {
  addGroupErrors,
  addSigned,
  countBytes,
  countDifferences,
  largestDifference,
} from './detail';
export {
  addDoubleErrors,
  addDoubleRanges,
  addDoublesToHistogram,
  addDoubleSums,
  demote,
  demoteToOdd,
  doubleErrorSums,
  resetDoubleErrorSums,
  setDoubleBins,
  setDoubleRanges,
} from './doubles';
export {
  addObserved,
  countObserved,
  foldCounts,
  observedSums,
  resetObserved,
  setEdges,
} from './observe';
export { addProducts } from './moments';
export { packNibbles } from './pack';

/** The first byte that the kernels do not use themselves. */
export function heapBase(): usize {
  return __heap_base;
}
