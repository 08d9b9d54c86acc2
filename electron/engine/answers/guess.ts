import type { AnswerKind } from '../../../shared/answers.ts';
import type { Numbered, Reading } from './read.ts';
import { boxRows, type BoxRows } from './kinds/boxes.ts';
import { areClasses } from './kinds/mask.ts';
import { planesOf } from './kinds/planes.ts';
import { areScores } from './kinds/scores.ts';
import { alphabetFor, stepsOf } from './kinds/text.ts';
import { tokenIds } from './kinds/tokens.ts';
import { finiteRange, isWithin } from './read.ts';

/** Maps of more channels are features more often than classes. */
const MOST_MASK_CLASSES = 256;
/** The shorter side of what is drawn without being asked. */
const LEAST_PICTURE = 16;
/** A sequence of fewer values is a list of numbers. */
const LEAST_WAVE = 256;

/**
 * What an output is, by its shape, its values, its name and the files beside the model. A guess that would show
 * nonsense is worse than numbers, so boxes and keypoints need the name or the neighbours to say so.
 */
export function guessKind(name: string, value: Numbered, reading: Reading): AnswerKind {
  const { dims, data } = value;
  const isText = data.length === 0 || typeof data[0] === 'string';
  if (isText) return 'numbers';
  if (isCtc(value, reading)) return 'ctc';
  if (areTokens(value, reading)) return 'tokens';
  const boxesOrPoints = guessPlaces(name, value, reading);
  if (boxesOrPoints !== null) return boxesOrPoints;
  const drawn = guessPicture(value, reading);
  if (drawn !== null) return drawn;
  if (areScores(name, value) && !isWave(name, value)) return 'scores';
  return isWave(name, value) && dims.length > 0 ? 'wave' : 'numbers';
}

function isCtc(value: Numbered, { names }: Reading): boolean {
  const steps = value.dims.length === 3 ? stepsOf(value) : null;
  return steps !== null && names !== null && alphabetFor(names, steps.classes, []) !== null;
}

/** Vocabularies are padded in the model, up to a multiple of some hundreds. */
const PADDING = 1024;

/** The smallest vocabulary, of bytes. */
const LEAST_VOCABULARY = 256;

/** Whether it is worth to read a tokenizer for an output: it has scores of many classes at each step, or whole numbers. */
export function mayBeTokens(value: Numbered): boolean {
  const { dims } = value;
  if (dims.length === 3) return dims[2]! >= LEAST_VOCABULARY;
  return dims.length === 2 && areClasses(value);
}

/** Scores of as many tokens as the vocabulary has, or their numbers. */
function areTokens(value: Numbered, { vocabulary }: Reading): boolean {
  if (vocabulary === null) return false;
  const { dims, data } = value;
  const width = dims.at(-1) ?? 0;
  if (dims.length === 3) return width >= vocabulary.size && width < vocabulary.size + PADDING;
  const isOfIds = dims.length === 2 && areClasses(value) && tokenIds(value) !== null;
  return isOfIds && finiteRange(data)[1] < vocabulary.size;
}

function guessPlaces(name: string, value: Numbered, { outputs }: Reading): AnswerKind | null {
  const { dims } = value;
  if (/keypoint|landmark/i.test(name) && (dims.at(-1) === 2 || dims.at(-1) === 3)) return 'points';
  const rows = dims.length === 3 || dims.length === 2 ? boxRows(value) : null;
  if (rows === null) return null;
  if (rows.width === 4) {
    const hasPartner = [...outputs].some(
      ([other, { before }]) =>
        other !== name &&
        before.dims.includes(rows.count) &&
        before.dims.length <= 3 &&
        rows.count > 1,
    );
    return hasPartner && /box|loc|coord|detect/i.test(name) ? 'boxes' : null;
  }
  if (/box|detect|dets/i.test(name) && rows.width <= 7) return 'boxes';
  return areDetections(rows) ? 'boxes' : guessHead(value);
}

/** Rows of corners, a score and the number of a class. */
function areDetections(rows: BoxRows): boolean {
  if (rows.width !== 6 || rows.count < 2) return false;
  for (let row = 0; row < rows.count; row++) {
    const [x1, y1, x2, y2, score, index] = [0, 1, 2, 3, 4, 5].map((column) => rows.at(row, column));
    if (!(x2! >= x1! && y2! >= y1! && score! >= 0 && score! <= 1)) return false;
    if (!Number.isInteger(index) || index! < -1) return false;
  }
  return true;
}

/** The head of a YOLO: thousands of rows, whose columns from the fifth on are probabilities. */
function guessHead(value: Numbered): AnswerKind | null {
  const rows = value.dims.length === 3 ? boxRows(value) : null;
  if (rows === null || rows.count < 1000 || rows.width < 6) return null;
  let [most, size] = [0, 0];
  for (let row = 0; row < rows.count; row++) {
    for (let column = 4; column < rows.width; column++)
      if (!(rows.at(row, column) >= 0)) return null;
      else most = Math.max(most, rows.at(row, column));
    size = Math.max(size, rows.at(row, 2));
  }
  return most <= 1 && size > 2 ? 'boxes' : null;
}

function guessPicture({ dims, data }: Numbered, { runtime, input }: Reading): AnswerKind | null {
  if (dims.length < 3) return null;
  const planes = planesOf(dims, runtime);
  if (planes === null || Math.min(planes.width, planes.height) < LEAST_PICTURE) return null;
  // A sequence of vectors has the shape of a picture too.
  if (dims.length === 3) {
    const ratio =
      input === null ? 0 : (planes.width * input.height) / (planes.height * input.width);
    if (planes.channels !== 1 || !(ratio > 0.95 && ratio < 1.05)) return null;
  }
  if (planes.channels === 1)
    return isWithin(finiteRange(data), -0.01, 1.01) || areClasses({ data }) ? 'mask' : 'picture';
  if (planes.channels === 3 || planes.channels === 4) return 'picture';
  return planes.channels <= MOST_MASK_CLASSES && planes.width * planes.height >= 4 * planes.channels
    ? 'mask'
    : null;
}

function isWave(name: string, { dims, data }: Numbered): boolean {
  // [1, N, 1] is scores of N candidates more often than a sound.
  const length = dims.at(-1) ?? 0;
  if (length < LEAST_WAVE || length !== data.length) return false;
  return dims.length !== 2 || /wav|audio|speech|signal|pcm/i.test(name);
}
