const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });
const day = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'long' });
const dayOfYear = new Intl.DateTimeFormat('en-GB', {
  day: 'numeric',
  month: 'long',
  year: 'numeric',
});

/** When something was, as seen from now: "today, 10:42", "yesterday", "12 November", "3 May 2025". */
export function whenWas(then: Date, now: Date): string {
  const days = Math.round((midnight(now) - midnight(then)) / 86_400_000);
  if (days === 0) return `today, ${clock.format(then)}`;
  if (days === 1) return 'yesterday';
  return (then.getFullYear() === now.getFullYear() ? day : dayOfYear).format(then);
}

function midnight(date: Date): number {
  return new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime();
}
