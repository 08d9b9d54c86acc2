import {
  DEFAULT_NUMBER_STYLE,
  marksOf,
  type NumberMarks,
  type NumberStyle,
} from '../../shared/number-styles.ts';

/** Read by every figure that is drawn, so that a change of the setting draws them anew. */
let marks = $state.raw<NumberMarks>(marksOf(DEFAULT_NUMBER_STYLE, 'en'));

/** The marks of the numbers in the window. */
export function numberMarks(): NumberMarks {
  return marks;
}

/** @param locale the computer's, for the style `system` */
export function setNumberStyle(style: NumberStyle, locale: string): void {
  marks = marksOf(style, locale);
}
