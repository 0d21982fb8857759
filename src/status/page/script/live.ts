/** Looks again and again while somebody looks, and says so when there is no answer. */
export const LIVE = /* js */ `
/**
 * One look: when it was taken, by the clock of the process; when it came, by 'performance.now()'; and whether it can be
 * compared with the one before.
 * @typedef {{ takenAt: number, seenAt: number, continues: boolean }} Look
 */
const refreshMs = Number(document.body.dataset.refreshMs);
const LONGEST_PAUSE_MS = Math.max(refreshMs, 10000);
const ANSWER_TIMEOUT_MS = Math.max(refreshMs, 10000);

// Its own address with all of its query, which may be what authorizes; browsers refuse to fetch one with a user in it.
const address = new URL(location.href);
address.username = '';
address.password = '';
address.hash = '';
address.searchParams.set('format', 'json');

const storeViews = keyedList(byId('stores'), storeView);
/** Who answered so far. */
const known = new Set();
let last = '';
let inTurn = false;
let headlines = '';
let title = 'hot-secrets';
let seenAt = 0;
let failures = 0;
let lastState = '';
let isLooking = false;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;

/** One look. Returns what is wrong, if anything is; 'stops': only a person can go on. */
async function look() {
  let response;
  let text;
  const abort = new AbortController();
  const late = setTimeout(() => abort.abort(), ANSWER_TIMEOUT_MS);
  try {
    response = await fetch(address, {
      headers: { accept: 'application/json' },
      cache: 'no-store',
      credentials: 'same-origin',
      // Whoever guards the way may send strangers to a page of theirs.
      redirect: 'manual',
      signal: abort.signal,
    });
    text = await response.text();
  } catch {
    return { state: 'gone', words: 'The process does not answer.' };
  } finally {
    clearTimeout(late);
  }
  if (response.type === 'opaqueredirect' || response.status === 401 || response.status === 403) {
    const challenge = response.headers.get('www-authenticate') || '';
    const words = 'You are not let in any more: what let you in was rotated, or has ended.';
    // Asking again would open the browser's dialog each time.
    return { state: 'unauthorized', words, stops: challenge.toLowerCase().startsWith('basic') };
  }
  if (!response.ok) return { state: 'failing', words: refusalOf(response.status, text) };
  try {
    show(JSON.parse(text));
    return undefined;
  } catch {
    return { state: 'strange', words: 'What answers here now is not what this page knows.' };
  }
}

/** What an answer says that is no report: of this endpoint, or of somebody before it. */
function refusalOf(status, text) {
  if (status === 503 && text.includes('"closed"')) return 'The store is closed: its process is about to end.';
  return 'The answer is ' + status + '.';
}

/** @param {Status} status */
function show({ takenAt, process, stores }) {
  const taken = Date.parse(takenAt);
  seenAt = performance.now();
  const views = storeViews(stores, ({ name }) => name, { takenAt: taken, seenAt, continues: true });
  const who = [process.host, process.pid, process.startedAt].join(' ');
  if (who !== last && known.has(who)) inTurn = true;
  last = who;
  known.add(who);
  const upMs = taken - Date.parse(process.startedAt) - seenAt;
  const turns = inTurn && 'one of several that answer in turn';
  setAttribute(byId('who'), 'title', process.host + ', pid ' + process.pid);
  tick(byId('who'), () => facts([process.host, turns || 'up ' + span(upMs + performance.now())]));
  headline(views.map((view) => view.headline()));
}

/** The title of the tab, and what a screen reader is told when it changes. */
function headline(all) {
  const [{ name, words }] = [...all.filter(({ level }) => level !== 'ok'), ...all];
  title = words + ' · ' + name;
  const now = all.map((one) => one.name + ': ' + one.words).join('. ');
  if (headlines !== '' && headlines !== now) say(byId('announcer'), now);
  headlines = now;
}

/** Says how live the page is. */
function tell(trouble) {
  const state = trouble === undefined ? 'live' : trouble.state;
  if (state !== lastState) say(byId('announcer'), trouble ? trouble.words : lastState && 'Live again.');
  lastState = state;
  setAttribute(byId('live-mark'), 'data-level', { live: 'ok', unauthorized: 'absent' }[state] || 'problem');
  const seen = seenAt === 0 ? undefined : clock(new Date(Date.now() - (performance.now() - seenAt)));
  const age = () => ago(performance.now() - seenAt);
  tick(byId('live-words'), () => (trouble ? 'Not live' + (seen ? ' since ' + seen : '') : 'Live · ' + age()));
  document.title = (trouble ? 'Not live · ' : '') + title;
  byId('notice').hidden = trouble === undefined;
  if (trouble === undefined) return;
  byId('notice-button').hidden = state !== 'unauthorized' && state !== 'strange';
  say(byId('notice-words'), [
    trouble.words,
    seen && 'What you see is from ' + seen + '.',
    !trouble.stops && 'Trying again.',
  ].filter(Boolean).join(' '));
}

/** A look, what came of it, and when the next one is. */
async function turn() {
  clearTimeout(timer);
  if (isLooking) return;
  isLooking = true;
  const trouble = await look();
  isLooking = false;
  // Nobody looks at a hidden tab; it goes on when it is shown.
  if (document.hidden) return;
  failures = trouble === undefined ? 0 : failures + 1;
  tell(trouble);
  if (trouble?.stops) return;
  timer = setTimeout(turn, Math.min(refreshMs * 2 ** Math.max(0, failures - 1), LONGEST_PAUSE_MS));
}

document.addEventListener('visibilitychange', () => {
  if (!document.hidden) return void turn();
  clearTimeout(timer);
  setAttribute(byId('live-mark'), 'data-level', 'absent');
  tick(byId('live-words'), () => 'Paused');
});
addEventListener('online', turn);
byId('notice-button').addEventListener('click', () => location.reload());
turn();
`;
