/** One store: what it all comes to, and its four panels. */
export const STORE = /* js */ `
const needsAttention = ({ level }) => level === 'problem' || level === 'warning';

/** The state of a store in one sentence. @param {Store} store */
function headlineOf({ status, secrets, sources, resources }) {
  if (status === 'closed') return { level: 'absent', words: 'Closed' };
  const bad = [...secrets, ...sources, ...resources].filter(needsAttention);
  if (bad.length > 0) {
    const counts = [badOf(secrets, 'secret'), badOf(sources, 'source'), badOf(resources, 'resource')];
    const level = bad.some((thing) => thing.level === 'problem') ? 'problem' : 'warning';
    const verb = bad.length === 1 ? ' needs' : ' need';
    return { level, words: list(counts.filter(Boolean)) + verb + ' attention' };
  }
  const moving = resources.filter(({ level }) => level === 'active');
  if (moving.length > 0) {
    const who = moving.length === 1 ? moving[0].name + ' is' : moving.length + ' resources are';
    return { level: 'active', words: who + ' changing over' };
  }
  return { level: 'ok', words: 'Everything is in order' };
}

/** '2 secrets', or nothing. */
function badOf(things, word) {
  const number = things.filter(needsAttention).length;
  return number > 0 && count(number, word);
}

/** @param {Store} store @param {Look} look */
function lastRotation(store, look) {
  const last = store.timeline.find(({ kind }) => kind === 'rotated');
  if (last === undefined) return () => 'none since ' + clock(new Date(store.timelineSince));
  const age = look.takenAt - Date.parse(last.at);
  return () => facts([ago(age + performance.now() - look.seenAt), namesOf(last, 1)]);
}

/** @param {Store} store */
function nextExpiry({ secrets }) {
  const ends = secrets.flatMap(({ name, expiries }) => expiries.map(({ daysLeft }) => ({ name, daysLeft })));
  if (ends.length === 0) return 'none known';
  const first = ends.reduce((a, b) => (b.daysLeft < a.daysLeft ? b : a));
  return facts([until(first.daysLeft), first.name]);
}

let headings = 0;

function storeView() {
  const { root, parts } = make('store');
  for (const heading of root.querySelectorAll('h2, h3')) {
    headings += 1;
    heading.id = 'heading-' + headings;
    const section = heading.closest('section');
    for (const named of [section, ...section.querySelectorAll('.scroll, table')]) {
      named.setAttribute('aria-labelledby', heading.id);
    }
  }
  const resources = keyedList(parts.resources, resourceRow);
  const sources = keyedList(parts.sources, sourceRow);
  const timeline = keyedList(parts.timeline, eventRow);
  const rows = keyedList(parts.secrets, secretRow, parts['secrets-head']);
  let shown = [];
  let id;
  let headline;

  function filter() {
    const words = parts.filter.value.toLowerCase().split(' ').filter(Boolean);
    let visible = 0;
    for (const row of shown) {
      const matches = row.matches(words);
      row.root.hidden = !matches;
      if (matches) visible += 1;
    }
    say(parts['secrets-count'], words.length > 0 ? visible + ' of ' + shown.length : String(shown.length));
    const nothing = words.length > 0 ? 'No secret matches the filter.' : 'No secret was found yet.';
    sayOrHide(parts['secrets-empty'], visible === 0 && nothing);
  }
  parts.filter.addEventListener('input', filter);

  /** @param {Store} store @param {Look} look */
  function update(store, look) {
    // Versions and entries of another process cannot be compared with those of the one before.
    const here = { ...look, continues: id === store.id };
    const { level, words } = headlineOf(store);
    headline = { name: store.name, level, words };
    id = store.id;
    setLevel(root, parts, level);
    say(parts.name, store.name);
    say(parts.headline, words);
    say(parts.generation, String(store.generation));
    tick(parts.rotation, lastRotation(store, look));
    say(parts.ends, nextExpiry(store));
    shown = rows(sorted(store.secrets), ({ name }) => name, here);
    filter();
    resources(worstFirst(store.resources), ({ kind, name }) => kind + ' ' + name, here);
    say(parts['resources-count'], String(store.resources.length));
    parts['resources-empty'].hidden = store.resources.length > 0;
    sources(worstFirst(store.sources), ({ source, location }) => source + ' ' + location, here);
    say(parts['sources-count'], String(store.sources.length));
    timeline(store.timeline, (event) => id + ' ' + event.id, here);
    const since = clock(new Date(store.timelineSince));
    const nothing =
      'Nothing has happened since ' + since + '. Rotations will appear here, with what is renewed because of them and ' +
      'what goes wrong.';
    sayOrHide(parts['timeline-empty'], store.timeline.length === 0 && nothing);
  }

  return { root, update, headline: () => headline };
}
`;
