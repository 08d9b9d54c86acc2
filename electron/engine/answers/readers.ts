import type { AnswerKind } from '../../../shared/answers.ts';
import { boxes } from './kinds/boxes.ts';
import { mask } from './kinds/mask.ts';
import { numbers } from './kinds/numbers.ts';
import { picture } from './kinds/picture.ts';
import { points } from './kinds/points.ts';
import { scores } from './kinds/scores.ts';
import { ctc } from './kinds/text.ts';
import { tokens } from './kinds/tokens.ts';
import { wave } from './kinds/wave.ts';
import type { AnswerReader } from './read.ts';

/** What reads each kind of answer. */
export const READERS: Readonly<Record<AnswerKind, AnswerReader>> = {
  scores,
  picture,
  mask,
  boxes,
  points,
  ctc,
  tokens,
  wave,
  numbers,
};
