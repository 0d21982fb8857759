/** What happened, the newest first. */
export const TIMELINE = /* js */ `
/** @type {Record<Entry['kind'], (entry: Entry) => string>} */
const VERBS = {
  rotated: () => 'rotated',
  added: ({ names }) => (names.length === 1 ? 'has a value now' : 'have values now'),
  error: () => 'has a problem',
  recovered: () => 'recovered',
  expiring: ({ level }) => (level === 'problem' ? 'has expired' : 'expires soon'),
  'refresh-failed': () => 'could not be read',
  swapped: ({ generation }) => 'serves generation ' + generation,
  rejected: ({ generation }) => 'did not take generation ' + generation,
  drained: ({ generation, forced }) => (forced ? 'cut off generation ' : 'drained generation ') + generation,
  refused: () => 'is refused by its server',
  accepted: () => 'is accepted again',
};

/** The first names of an entry, and how many more there are. @param {Entry} entry */
function namesOf({ names, moreNames = 0 }, most) {
  const more = Math.max(0, names.length - most) + moreNames;
  return names.slice(0, most).join(', ') + (more > 0 ? ' and ' + more + ' more' : '');
}

/** @param {Entry} entry */
function eventFacts(entry) {
  const { kind, generation, trigger, attempts, durationMs, waiting, retryInMs, times } = entry;
  return facts([
    (kind === 'rotated' || kind === 'added') && 'generation ' + generation,
    trigger,
    attempts > 1 && count(attempts, 'attempt'),
    durationMs >= 1 && duration(durationMs),
    waiting > 0 && waiting + ' waiting',
    retryInMs !== undefined && 'tried again after ' + duration(retryInMs),
    times !== undefined && times + ' times',
  ]);
}

function eventRow() {
  const { root, parts } = make('event');
  /** @param {Entry} entry @param {Look} look */
  const update = (entry, look) => {
    const at = new Date(entry.at);
    const isNew = root.dataset.level === undefined;
    setLevel(root, parts, entry.level);
    setAttribute(root, 'data-kind', entry.kind);
    setAttribute(parts.time, 'datetime', entry.at);
    setAttribute(parts.time, 'title', entry.at);
    say(parts.time, clock(at));
    say(parts.names, namesOf(entry, entry.names.length) || 'the store');
    say(parts.verb, VERBS[entry.kind](entry));
    parts.why.hidden = !entry.code && !entry.message;
    say(parts.code, entry.code || '');
    say(parts.message, entry.message && entry.kind !== 'recovered' ? sentence(entry.message) : '');
    sayOrHide(parts.under, eventFacts(entry));
    if (isNew && look.continues) flash(root);
  };
  return { root, update };
}
`;
