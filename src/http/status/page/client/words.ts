/** Formats numbers, times and lists for people. */

export const count = (number: number, noun: string) => `${number} ${noun}${number === 1 ? '' : 's'}`;

export function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 10000) return `${(ms / 1000).toFixed(1)} s`;
  return span(ms);
}

export function span(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86400)} d`;
}

export const ago = (ms: number) => (ms < 1000 ? 'now' : `${span(ms)} ago`);

export const until = (days: number) =>
  days > 0 ? `in ${span(days * 86400000)}` : `expired ${ago(days * -86400000)}`;

const clockTime = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const calendarDay = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' });
const calendarYear = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', year: 'numeric' });

/** The time of day, with the date unless it is today. */
export function clock(date: Date): string {
  const isToday = date.toDateString() === new Date().toDateString();
  return (isToday ? '' : `${calendarDay.format(date)}, `) + clockTime.format(date);
}

export const dateAndTime = (date: Date) => `${calendarYear.format(date)}, ${clockTime.format(date)}`;

/** Formats 'a', 'a and b', 'a, b and c'. */
export function list(words: readonly string[]): string {
  if (words.length < 2) return words.join('');
  return `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`;
}

/** Capitalises a message, since messages begin in lower case. */
export const sentence = (text: string) => text.slice(0, 1).toUpperCase() + text.slice(1);

/** Joins the facts that are present. */
export const facts = (words: readonly (string | false | undefined)[]) => words.filter(Boolean).join(' · ');
