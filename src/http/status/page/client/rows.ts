import type {
  ResourceStatus,
  SecretStatus,
  SourceStatus,
  StatusProblem,
  TimelineEntry,
} from '../../status-types';
import {
  clone,
  flash,
  keyedList,
  type Poll,
  type Row,
  setAttribute,
  setClock,
  setLevel,
  setText,
  setTextOrHide,
} from './dom';
import { ago, clock, count, dateAndTime, duration, facts, list, sentence, until } from './words';

const RANKS = { problem: 0, warning: 1, active: 2, ok: 3 };
const SOON_DAYS = 7;
const byName = new Intl.Collator('en', { numeric: true });

/** Sorts secrets: problems first, then those that expire soon, then by name. */
export function sorted(secrets: readonly SecretStatus[]): readonly SecretStatus[] {
  return secrets.toSorted((a, b) => rankOf(a) - rankOf(b) || byName.compare(a.name, b.name));
}

/** Sorts problems first, otherwise keeps the order of the store. */
export const worstFirst = <T extends { readonly level: keyof typeof RANKS }>(all: readonly T[]) =>
  all.toSorted((a, b) => RANKS[a.level] - RANKS[b.level]);

/** The first names of an entry, and how many more there are. */
export function namesOf({ names, moreNames = 0 }: TimelineEntry, most: number): string {
  const more = Math.max(0, names.length - most) + moreNames;
  return names.slice(0, most).join(', ') + (more > 0 ? ` and ${more} more` : '');
}

export interface SecretRow extends Row<SecretStatus> {
  /** Tells whether the secret contains every word of a filter. */
  matches(words: readonly string[]): boolean;
}

export function secretRow(): SecretRow {
  const { root, parts } = clone(
    'secret',
    'mark',
    'toggle',
    'name',
    'state',
    'source',
    'passed',
    'version',
    'age',
    'ends',
    'problems',
    'problems-row',
    'details',
    'details-row',
  );
  const showProblems = keyedList(parts.problems, problemRow);
  const showDetails = keyedList(parts.details, detailRow);
  let shown: { readonly secret: SecretStatus; readonly poll: Poll } | undefined;

  const isOpen = () => parts.toggle.getAttribute('aria-expanded') === 'true';
  function updateDetails(): void {
    parts['details-row'].hidden = !isOpen();
    if (isOpen() && shown !== undefined) {
      showDetails(detailsOf(shown.secret, shown.poll), ([term]) => term, shown.poll);
    }
  }
  parts.toggle.addEventListener('click', () => {
    setAttribute(parts.toggle, 'aria-expanded', String(!isOpen()));
    updateDetails();
  });

  function update(secret: SecretStatus, poll: Poll): void {
    const hasRotated = shown !== undefined && poll.continues && shown.secret.version !== secret.version;
    shown = { secret, poll };
    const { level, source, version, ageMs, expiries } = secret;
    const [first] = expiries;
    setLevel(root, parts.mark, source === undefined && level === 'ok' ? 'absent' : level);
    setText(parts.name, secret.name);
    setText(parts.state, level === 'ok' ? '' : `, ${level}`);
    setText(parts.source, source ?? 'no value');
    const passed = list(secret.passed.map((one) => one.source));
    setText(parts.passed, source !== undefined && passed !== '' ? `not in ${passed}` : '');
    setText(parts.version, (version ?? '').slice(0, 8));
    setClock(parts.age, () => (ageMs === undefined ? '' : ago(ageMs + performance.now() - poll.receivedAt)));
    setText(parts.ends, first === undefined ? '' : first.daysLeft > 0 ? until(first.daysLeft) : 'expired');
    setAttribute(parts.ends, 'data-soon', String(first !== undefined && first.daysLeft <= SOON_DAYS));
    const problems = [secret.problem, ...secret.warnings].filter((problem) => problem !== undefined);
    showProblems(problems, ({ code }) => code, poll);
    parts['problems-row'].hidden = problems.length === 0;
    updateDetails();
    if (hasRotated) flash(root);
  }

  const matches = (words: readonly string[]) => {
    const text = shown === undefined ? '' : searchText(shown.secret);
    return words.every((word) => text.includes(word));
  };
  return { root, update, matches };
}

export const resourceRow = () =>
  statusRow<ResourceStatus>((parts, resource) => {
    setText(parts.name, resource.name);
    setText(parts.kind, KINDS[resource.kind] ?? resource.kind);
    setText(parts.state, stateOf(resource));
    setTextOrHide(parts.under, resourceFacts(resource));
    setTextOrHide(parts.note, '');
    return resource.problem ? [resource.problem] : [];
  });

export const sourceRow = () =>
  statusRow<SourceStatus>((parts, source, poll) => {
    const { lastRefreshAgeMs: age } = source;
    setText(parts.name, source.source);
    setText(parts.kind, '');
    const read = () =>
      age === undefined ? 'never read' : `read ${ago(age + performance.now() - poll.receivedAt)}`;
    setClock(parts.state, () => facts([source.status !== 'ok' && source.status, read()]));
    setTextOrHide(parts.under, source.location);
    setTextOrHide(parts.note, source.note);
    return source.problems;
  });

export function eventRow(): Row<TimelineEntry> {
  const { root, parts } = clone('event', 'mark', 'time', 'names', 'verb', 'why', 'code', 'message', 'under');
  const update = (entry: TimelineEntry, poll: Poll) => {
    const isNew = root.dataset.level === undefined;
    setLevel(root, parts.mark, entry.level);
    setAttribute(root, 'data-kind', entry.kind);
    setAttribute(parts.time, 'datetime', entry.at);
    setAttribute(parts.time, 'title', entry.at);
    setText(parts.time, clock(new Date(entry.at)));
    setText(parts.names, namesOf(entry, entry.names.length) || 'the store');
    setText(parts.verb, VERBS[entry.kind](entry));
    parts.why.hidden = !entry.code && !entry.message;
    setText(parts.code, entry.code ?? '');
    setText(parts.message, entry.message && entry.kind !== 'recovered' ? sentence(entry.message) : '');
    setTextOrHide(parts.under, eventFacts(entry));
    if (isNew && poll.continues) flash(root);
  };
  return { root, update };
}

function rankOf({ level, expiries: [first] }: SecretStatus): number {
  return level === 'ok' && first && first.daysLeft <= SOON_DAYS ? RANKS.active : RANKS[level];
}

/** The text that the filter searches. */
function searchText({ name, source, origin, version, problem, warnings, expiries }: SecretStatus): string {
  const codes = [problem, ...warnings].map((one) => one?.code);
  const subjects = expiries.map(({ subject }) => subject);
  return [name, source, origin, version, ...codes, ...subjects].join(' ').toLowerCase();
}

function problemRow(): Row<StatusProblem> {
  const { root, parts } = clone('problem', 'code', 'message');
  const update = ({ code, message }: StatusProblem) => {
    setText(parts.code, code);
    setText(parts.message, sentence(message));
  };
  return { root, update };
}

type Detail = readonly [term: string, words: string];

function detailRow(): Row<Detail> {
  const { root, parts } = clone('detail', 'term', 'words');
  const update = ([term, words]: Detail) => {
    setText(parts.term, term);
    setText(parts.words, words);
  };
  return { root, update };
}

/** The details of an open row. */
function detailsOf(secret: SecretStatus, poll: Poll): readonly Detail[] {
  const details: Detail[] = [];
  if (secret.version !== undefined) details.push(['Version', secret.version]);
  if (secret.origin !== undefined) details.push(['Read from', secret.origin]);
  if (secret.ageMs !== undefined) {
    details.push(['Loaded', dateAndTime(new Date(poll.takenAt - secret.ageMs))]);
  }
  for (const { source, looked } of secret.passed) {
    details.push(['Not in', source + (looked && `: ${looked}`)]);
  }
  for (const { what, subject, expiresAt, daysLeft } of secret.expiries) {
    const when = [dateAndTime(new Date(expiresAt)), until(daysLeft)];
    details.push(['Expires', facts([what !== 'secret' && what, subject, ...when])]);
  }
  details.push(['Required', secret.required ? 'yes' : 'no']);
  return details;
}

const KINDS: Readonly<Record<string, string>> = {
  pg: 'PostgreSQL pool',
  'tls-server': 'TLS server',
  'tls-name': 'TLS name',
  'https-agent': 'HTTPS agent',
  undici: 'undici dispatcher',
  resource: '',
};

function stateOf({ refused, rotating, draining, connections, generation }: ResourceStatus): string {
  if (refused) return 'refused';
  if (rotating) return generation === undefined ? 'starting' : 'rotating';
  if (generation === undefined) return 'not ready';
  return draining > 0 || (connections?.stale ?? 0) > 0 ? 'draining' : 'serving';
}

function resourceFacts({ generation, connections, draining, rotating }: ResourceStatus): string {
  const { open, stale = 0 } = connections ?? {};
  const attempts = rotating?.attempts ?? 0;
  return facts([
    generation !== undefined && `generation ${generation}`,
    open !== undefined && `${open} open`,
    stale > 0 && `${stale} of older generations`,
    draining > 0 && `${draining} draining`,
    attempts > 1 && count(attempts, 'attempt'),
  ]);
}

type StatusParts = ReturnType<typeof cloneStatus>['parts'];
const cloneStatus = () => clone('thing', 'mark', 'name', 'kind', 'state', 'under', 'note', 'problems');

/** A row of the resources or of the sources. `fill` returns its problems. */
function statusRow<Item extends ResourceStatus | SourceStatus>(
  fill: (parts: StatusParts, item: Item, poll: Poll) => readonly StatusProblem[],
): Row<Item> {
  const { root, parts } = cloneStatus();
  const showProblems = keyedList(parts.problems, problemRow);
  const generationOf = (item: Item) => ('generation' in item ? item.generation : undefined);
  let before: Item | undefined;
  const update = (item: Item, poll: Poll) => {
    setLevel(root, parts.mark, item.level);
    showProblems(fill(parts, item, poll), ({ code, message }) => code + message, poll);
    const hasSwapped = before !== undefined && generationOf(before) !== generationOf(item);
    if (hasSwapped && poll.continues) flash(root);
    before = item;
  };
  return { root, update };
}

const VERBS: Readonly<Record<TimelineEntry['kind'], (entry: TimelineEntry) => string>> = {
  rotated: () => 'rotated',
  added: ({ names }) => (names.length === 1 ? 'now has a value' : 'now have values'),
  error: () => 'has a problem',
  recovered: () => 'recovered',
  expiring: ({ level }) => (level === 'problem' ? 'has expired' : 'expires soon'),
  'refresh-failed': () => 'could not be read',
  swapped: ({ generation }) => `serves generation ${generation}`,
  rejected: ({ generation }) => `rejected generation ${generation}`,
  drained: ({ generation, forced }) => `${forced ? 'cut off' : 'drained'} generation ${generation}`,
  refused: () => 'is refused by its server',
  accepted: () => 'is accepted again',
};

function eventFacts(entry: TimelineEntry): string {
  const { kind, generation, trigger, attempts = 0, durationMs = 0, waiting = 0, retryInMs, times } = entry;
  return facts([
    (kind === 'rotated' || kind === 'added') && `generation ${generation}`,
    trigger,
    attempts > 1 && count(attempts, 'attempt'),
    durationMs >= 1 && duration(durationMs),
    waiting > 0 && `${waiting} waiting`,
    retryInMs !== undefined && `retried after ${duration(retryInMs)}`,
    times !== undefined && `${times} times`,
  ]);
}
