import { escaped } from '../../shared/errors.ts';

/** What screen readers are told: politely what happened, assertively only errors. */
export class Announcer {
  polite = $state('');
  assertive = $state('');

  say(words: string): void {
    const text = escaped(words);
    // The same words twice would not be read twice; a trailing space makes them differ.
    this.polite = this.polite === text ? `${text} ` : text;
  }

  alert(words: string): void {
    const text = escaped(words);
    this.assertive = this.assertive === text ? `${text} ` : text;
  }
}
