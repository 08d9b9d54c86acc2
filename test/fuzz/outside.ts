/** The file in a case's folder that says what was opened outside of it. */
export const OUTSIDE = 'outside.log';
