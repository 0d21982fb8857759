/** Numbers and times as people say them. */
export const WORDS = /* js */ `
const count = (number, word) => number + ' ' + word + (number === 1 ? '' : 's');

function duration(ms) {
  if (ms < 1000) return Math.round(ms) + ' ms';
  if (ms < 10000) return (ms / 1000).toFixed(1) + ' s';
  return span(ms);
}

function span(ms) {
  const seconds = Math.floor(ms / 1000);
  if (seconds < 60) return seconds + ' s';
  if (seconds < 3600) return Math.floor(seconds / 60) + ' min';
  if (seconds < 172800) return Math.floor(seconds / 3600) + ' h';
  return Math.floor(seconds / 86400) + ' d';
}

const ago = (ms) => (ms < 1000 ? 'now' : span(ms) + ' ago');

const until = (days) => (days > 0 ? 'in ' + span(days * 86400000) : 'expired ' + ago(days * -86400000));

const clockTime = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const calendarDay = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' });
const calendarYear = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', year: 'numeric' });

/** The time of day, with the day where that is not today. */
function clock(date) {
  const isToday = date.toDateString() === new Date().toDateString();
  return (isToday ? '' : calendarDay.format(date) + ', ') + clockTime.format(date);
}

const dateAndTime = (date) => calendarYear.format(date) + ', ' + clockTime.format(date);

/** 'a', 'a and b', 'a, b and c'. */
function list(words) {
  if (words.length < 2) return words.join('');
  return words.slice(0, -1).join(', ') + ' and ' + words[words.length - 1];
}

/** Messages begin as the middle of a sentence would. */
const sentence = (text) => text.slice(0, 1).toUpperCase() + text.slice(1);

/** What there is to say of several things, one after the other. */
const facts = (words) => words.filter(Boolean).join(' · ');
`;
