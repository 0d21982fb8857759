import type { StatusLevel, StoreStatus } from '../../status-types';
import { clone, keyedList, type Poll, type Row, setClock, setLevel, setText, setTextOrHide } from './dom';
import {
  eventRow,
  namesOf,
  resourceRow,
  type SecretRow,
  secretRow,
  sorted,
  sourceRow,
  worstFirst,
} from './rows';
import { ago, clock, count, facts, list, until } from './words';

export interface Headline {
  readonly name: string;
  readonly level: StatusLevel | 'absent';
  readonly words: string;
}

export interface StoreView extends Row<StoreStatus> {
  headline(): Headline;
}

let headings = 0;

/** One store: its headline and its four panels. */
export function storeView(): StoreView {
  const { root, parts } = clone(
    'store',
    'mark',
    'name',
    'headline',
    'generation',
    'rotation',
    'ends',
    'resources',
    'resources-count',
    'resources-empty',
    'sources',
    'sources-count',
    'timeline',
    'timeline-empty',
    'secrets',
    'secrets-head',
    'secrets-count',
    'secrets-empty',
    'filter',
  );
  labelSections(root);
  const showResources = keyedList(parts.resources, resourceRow);
  const showSources = keyedList(parts.sources, sourceRow);
  const showTimeline = keyedList(parts.timeline, eventRow);
  const showSecrets = keyedList(parts.secrets, secretRow, parts['secrets-head']);
  let rows: readonly SecretRow[] = [];
  let id = '';
  let headline: Headline = { name: '', level: 'absent', words: '' };

  function filter(): void {
    const words = (parts.filter as HTMLInputElement).value.toLowerCase().split(' ').filter(Boolean);
    let visible = 0;
    for (const row of rows) {
      const matches = row.matches(words);
      row.root.hidden = !matches;
      if (matches) visible += 1;
    }
    setText(parts['secrets-count'], words.length > 0 ? `${visible} of ${rows.length}` : String(rows.length));
    const nothing = words.length > 0 ? 'No secret matches the filter.' : 'No secrets were found yet.';
    setTextOrHide(parts['secrets-empty'], visible === 0 && nothing);
  }
  parts.filter.addEventListener('input', filter);

  function update(store: StoreStatus, poll: Poll): void {
    // Versions and entries of different processes cannot be compared.
    const here = { ...poll, continues: id === store.id };
    id = store.id;
    headline = { name: store.name, ...headlineOf(store) };
    setLevel(root, parts.mark, headline.level);
    setText(parts.name, store.name);
    setText(parts.headline, headline.words);
    setText(parts.generation, String(store.generation));
    setClock(parts.rotation, lastRotation(store, poll));
    setText(parts.ends, nextExpiry(store));
    rows = showSecrets(sorted(store.secrets), ({ name }) => name, here);
    filter();
    showResources(worstFirst(store.resources), ({ kind, name }) => `${kind} ${name}`, here);
    setText(parts['resources-count'], String(store.resources.length));
    parts['resources-empty'].hidden = store.resources.length > 0;
    showSources(worstFirst(store.sources), ({ source, location }) => `${source} ${location}`, here);
    setText(parts['sources-count'], String(store.sources.length));
    showTimeline(store.timeline, (event) => `${id} ${event.id}`, here);
    const since = clock(new Date(store.timelineSince));
    const nothing = `Nothing has happened since ${since}. Rotations appear here, with the resources that rotate because of them and any problems.`;
    setTextOrHide(parts['timeline-empty'], store.timeline.length === 0 && nothing);
  }

  return { root, update, headline: () => headline };
}

/** Names each section, and the scrolling areas in it, by its heading. */
function labelSections(root: HTMLElement): void {
  for (const heading of root.querySelectorAll('h2, h3')) {
    headings += 1;
    heading.id = `heading-${headings}`;
    const section = heading.closest('section');
    if (section === null) continue;
    for (const named of [section, ...section.querySelectorAll('.scroll, table')]) {
      named.setAttribute('aria-labelledby', heading.id);
    }
  }
}

const needsAttention = ({ level }: { readonly level: StatusLevel }) =>
  level === 'problem' || level === 'warning';

/** The state of a store in one sentence. */
function headlineOf({ status, secrets, sources, resources }: StoreStatus): Omit<Headline, 'name'> {
  if (status === 'closed') return { level: 'absent', words: 'Closed' };
  const bad = [...secrets, ...sources, ...resources].filter(needsAttention);
  if (bad.length > 0) {
    const counted = [
      countBad(secrets, 'secret'),
      countBad(sources, 'source'),
      countBad(resources, 'resource'),
    ];
    const level = bad.some((one) => one.level === 'problem') ? 'problem' : 'warning';
    const words = list(counted.filter((one) => one !== ''));
    return { level, words: `${words} ${bad.length === 1 ? 'needs' : 'need'} attention` };
  }
  const [first, ...others] = resources.filter(({ level }) => level === 'active');
  if (first === undefined) return { level: 'ok', words: 'Everything is in order' };
  const who = others.length === 0 ? `${first.name} is` : `${others.length + 1} resources are`;
  return { level: 'active', words: `${who} rotating` };
}

/** Returns '2 secrets', or nothing. */
function countBad(all: readonly { readonly level: StatusLevel }[], noun: string): string {
  const number = all.filter(needsAttention).length;
  return number > 0 ? count(number, noun) : '';
}

function lastRotation({ timeline, timelineSince }: StoreStatus, poll: Poll): () => string {
  const last = timeline.find(({ kind }) => kind === 'rotated');
  if (last === undefined) return () => `none since ${clock(new Date(timelineSince))}`;
  const ageMs = poll.takenAt - Date.parse(last.at);
  return () => facts([ago(ageMs + performance.now() - poll.receivedAt), namesOf(last, 1)]);
}

function nextExpiry({ secrets }: StoreStatus): string {
  const ends = secrets.flatMap(({ name, expiries }) => expiries.map(({ daysLeft }) => ({ name, daysLeft })));
  if (ends.length === 0) return 'none known';
  const first = ends.reduce((a, b) => (b.daysLeft < a.daysLeft ? b : a));
  return facts([until(first.daysLeft), first.name]);
}
