/** The table of secrets: problems first, filtered, and what has rotated drawn to the eye. */
export const SECRETS = /* js */ `
const RANKS = { problem: 0, warning: 1, active: 2, ok: 3 };
const SOON_DAYS = 7;
const byName = new Intl.Collator('en', { numeric: true });

/** @param {Secret} secret */
function rankOf(secret) {
  const [first] = secret.expiries;
  return secret.level === 'ok' && first && first.daysLeft <= SOON_DAYS ? RANKS.active : RANKS[secret.level];
}

/** @param {readonly Secret[]} secrets */
function sorted(secrets) {
  return [...secrets].sort((a, b) => rankOf(a) - rankOf(b) || byName.compare(a.name, b.name));
}

/** What the filter looks through. @param {Secret} secret */
function haystack(secret) {
  const problems = [secret.problem, ...secret.warnings].map((problem) => problem?.code);
  const subjects = secret.expiries.map(({ subject }) => subject);
  const { name, source, origin, version } = secret;
  return [name, source, origin, version, ...problems, ...subjects].join(' ').toLowerCase();
}

function problemRow() {
  const { root, parts } = make('problem');
  /** @param {Problem} problem */
  const update = ({ code, message }) => {
    say(parts.code, code);
    say(parts.message, sentence(message));
  };
  return { root, update };
}

function detailRow() {
  const { root, parts } = make('detail');
  const update = ([term, words]) => {
    say(parts.term, term);
    say(parts.words, words);
  };
  return { root, update };
}

/** What a row tells once it is opened. @param {Secret} secret @param {Look} look */
function detailsOf(secret, look) {
  return [
    secret.version !== undefined && ['Version', secret.version],
    secret.origin !== undefined && ['Read from', secret.origin],
    secret.ageMs !== undefined && ['Loaded', dateAndTime(new Date(look.takenAt - secret.ageMs))],
    ...secret.passed.map(({ source, looked }) => ['Not in', source + (looked && ': ' + looked)]),
    ...secret.expiries.map(({ what, subject, expiresAt, daysLeft }) => [
      'Expires',
      facts([what !== 'secret' && what, subject, dateAndTime(new Date(expiresAt)), until(daysLeft)]),
    ]),
    ['Needed', secret.required ? 'yes' : 'no, it is optional'],
  ].filter(Boolean);
}

function secretRow() {
  const { root, parts } = make('secret');
  const problems = keyedList(parts.problems, problemRow);
  const details = keyedList(parts.details, detailRow);
  /** @type {Secret} */
  let secret;
  /** @type {Look} */
  let look;

  const isOpen = () => parts.toggle.getAttribute('aria-expanded') === 'true';
  function showDetails() {
    parts['details-row'].hidden = !isOpen();
    if (isOpen()) details(detailsOf(secret, look), ([term]) => term);
  }
  parts.toggle.addEventListener('click', () => {
    setAttribute(parts.toggle, 'aria-expanded', String(!isOpen()));
    showDetails();
  });

  /** @param {Secret} now @param {Look} at */
  function update(now, at) {
    const hasRotated = secret !== undefined && at.continues && secret.version !== now.version;
    secret = now;
    look = at;
    const all = [now.problem, ...now.warnings].filter(Boolean);
    const [first] = now.expiries;
    setLevel(root, parts, now.source === undefined && now.level === 'ok' ? 'absent' : now.level);
    say(parts.name, now.name);
    say(parts.state, now.level === 'ok' ? '' : ', ' + now.level);
    say(parts.source, now.source || 'no value');
    const passed = list(now.passed.map(({ source }) => source));
    say(parts.passed, now.source && passed ? 'not in ' + passed : '');
    say(parts.version, (now.version || '').slice(0, 8));
    if (now.ageMs === undefined) say(parts.age, '');
    else tick(parts.age, () => ago(now.ageMs + performance.now() - at.seenAt));
    say(parts.ends, first ? (first.daysLeft > 0 ? until(first.daysLeft) : 'expired') : '');
    setAttribute(parts.ends, 'data-soon', String(first !== undefined && first.daysLeft <= SOON_DAYS));
    problems(all, (problem) => problem.code);
    parts['problems-row'].hidden = all.length === 0;
    showDetails();
    if (hasRotated) flash(root);
  }

  return { root, update, matches: (words) => words.every((word) => haystack(secret).includes(word)) };
}
`;
