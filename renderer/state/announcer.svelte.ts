/** What screen readers are told: politely what happened, assertively only errors. */
export class Announcer {
  polite = $state('');
  assertive = $state('');

  say(text: string): void {
    // The same words twice would not be read twice; a trailing space makes them differ.
    this.polite = this.polite === text ? `${text} ` : text;
  }

  alert(text: string): void {
    this.assertive = this.assertive === text ? `${text} ` : text;
  }
}
