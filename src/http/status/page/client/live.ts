/** Polls the status while the page is visible, and says so when no response arrives. */
import type { StatusReport, StoreStatus } from '../../status-types';
import { byId, keyedList, setAttribute, setClock, setText } from './dom';
import { type Headline, type StoreView, storeView } from './store-view';
import { ago, clock, facts, span } from './words';

/** Why a poll failed. */
interface Trouble {
  readonly state: 'gone' | 'unauthorized' | 'failing' | 'unexpected';
  readonly words: string;
  /** True when only a person can continue. */
  readonly stops?: boolean;
}

const refreshMs = Number(document.body.dataset.refreshMs);
const MAX_PAUSE_MS = Math.max(refreshMs, 10000);
const RESPONSE_TIMEOUT_MS = Math.max(refreshMs, 10000);

// The page's own address with its whole query, which may authorize it. Browsers refuse to fetch a URL with a user in it.
const address = new URL(location.href);
address.username = '';
address.password = '';
address.hash = '';
address.searchParams.set('format', 'json');

const showStores = keyedList<StoreStatus, StoreView>(byId('stores'), storeView);
/** The processes that have responded. */
const known = new Set<string>();
let lastProcess = '';
let hasReplicas = false;
let headlines = '';
let title = 'hot-secrets';
let receivedAt = 0;
let failures = 0;
let lastState = '';
let isPolling = false;
let timer: ReturnType<typeof setTimeout> | undefined;

/** Polls once. Returns what is wrong, if anything. */
async function poll(): Promise<Trouble | undefined> {
  let response: Response;
  let text: string;
  const controller = new AbortController();
  const timeout = setTimeout(() => controller.abort(), RESPONSE_TIMEOUT_MS);
  try {
    response = await fetch(address, {
      headers: { accept: 'application/json' },
      cache: 'no-store',
      credentials: 'same-origin',
      // A proxy may redirect unauthorized requests to its sign-in page.
      redirect: 'manual',
      signal: controller.signal,
    });
    text = await response.text();
  } catch {
    return { state: 'gone', words: 'The process does not respond.' };
  } finally {
    clearTimeout(timeout);
  }
  if (response.type === 'opaqueredirect' || response.status === 401 || response.status === 403) {
    const challenge = response.headers.get('www-authenticate') ?? '';
    const words = 'Your access expired or was rotated.';
    // Each further request would open the browser's password dialog.
    return { state: 'unauthorized', words, stops: challenge.toLowerCase().startsWith('basic') };
  }
  if (!response.ok) return { state: 'failing', words: failureOf(response.status, text) };
  try {
    show(JSON.parse(text));
    return undefined;
  } catch {
    return { state: 'unexpected', words: 'Unexpected response from this URL.' };
  }
}

/** Explains a failed response, of this endpoint or of a proxy in front of it. */
function failureOf(status: number, text: string): string {
  if (status === 503 && text.includes('"closed"')) return 'The store is closed: its process is about to end.';
  return `The response status is ${status}.`;
}

function show({ takenAt, process, stores }: StatusReport): void {
  const taken = Date.parse(takenAt);
  receivedAt = performance.now();
  const views = showStores(stores, ({ name }) => name, { takenAt: taken, receivedAt, continues: true });
  const current = [process.host, process.pid, process.startedAt].join(' ');
  if (current !== lastProcess && known.has(current)) hasReplicas = true;
  lastProcess = current;
  known.add(current);
  const upMs = taken - Date.parse(process.startedAt) - receivedAt;
  setAttribute(byId('who'), 'title', `${process.host}, pid ${process.pid}`);
  setClock(byId('who'), () =>
    facts([process.host, hasReplicas ? 'one of several replicas' : `up ${span(upMs + performance.now())}`]),
  );
  showHeadline(views.map((view) => view.headline()));
}

/** Sets the title of the tab, and tells screen readers when it changes. */
function showHeadline(all: readonly Headline[]): void {
  const first = all.find(({ level }) => level !== 'ok') ?? all[0];
  title = `${first.words} · ${first.name}`;
  const now = all.map(({ name, words }) => `${name}: ${words}`).join('. ');
  if (headlines !== '' && headlines !== now) setText(byId('announcer'), now);
  headlines = now;
}

/** Shows whether the page is live. */
function showState(trouble: Trouble | undefined): void {
  const state = trouble?.state ?? 'live';
  if (state !== lastState) setText(byId('announcer'), trouble ? trouble.words : lastState && 'Live again.');
  lastState = state;
  const level = state === 'live' ? 'ok' : state === 'unauthorized' ? 'absent' : 'problem';
  setAttribute(byId('live-mark'), 'data-level', level);
  const since = receivedAt === 0 ? undefined : clock(new Date(Date.now() - (performance.now() - receivedAt)));
  setClock(byId('live-words'), () => {
    if (trouble === undefined) return `Live · ${ago(performance.now() - receivedAt)}`;
    return since === undefined ? 'Not live' : `Not live since ${since}`;
  });
  document.title = (trouble ? 'Not live · ' : '') + title;
  byId('notice').hidden = trouble === undefined;
  if (trouble === undefined) return;
  byId('notice-button').hidden = state !== 'unauthorized' && state !== 'unexpected';
  const words = [
    trouble.words,
    since && `This page shows the state of ${since}.`,
    !trouble.stops && 'Retrying.',
  ];
  setText(byId('notice-words'), words.filter(Boolean).join(' '));
}

/** Polls, shows the result, and schedules the next poll. */
async function run(): Promise<void> {
  clearTimeout(timer);
  if (isPolling) return;
  isPolling = true;
  const trouble = await poll();
  isPolling = false;
  // A hidden tab rests until it is visible again.
  if (document.hidden) return;
  failures = trouble === undefined ? 0 : failures + 1;
  showState(trouble);
  if (trouble?.stops) return;
  timer = setTimeout(run, Math.min(refreshMs * 2 ** Math.max(0, failures - 1), MAX_PAUSE_MS));
}

document.addEventListener('visibilitychange', () => {
  if (!document.hidden) return void run();
  clearTimeout(timer);
  setAttribute(byId('live-mark'), 'data-level', 'absent');
  setClock(byId('live-words'), () => 'Paused');
});
addEventListener('online', () => void run());
byId('notice-button').addEventListener('click', () => location.reload());
void run();
