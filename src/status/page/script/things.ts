/** The lists of resources and of sources, whose rows look alike. */
export const THINGS = /* js */ `
const KINDS = {
  pg: 'PostgreSQL pool',
  'tls-server': 'TLS server',
  'tls-name': 'TLS name',
  'https-agent': 'HTTPS agent',
  undici: 'undici dispatcher',
  resource: '',
};

/** @param {Resource} resource */
function stateOf({ refused, rotating, draining, connections, generation }) {
  if (refused) return 'refused';
  if (rotating) return generation === undefined ? 'starting' : 'rotating';
  if (generation === undefined) return 'not ready';
  return draining > 0 || connections?.stale > 0 ? 'draining' : 'serving';
}

/** @param {Resource} resource */
function resourceFacts({ generation, connections, draining, rotating }) {
  return facts([
    generation !== undefined && 'generation ' + generation,
    connections?.open !== undefined && connections.open + ' open',
    connections?.stale > 0 && connections.stale + ' of older generations',
    draining > 0 && draining + ' draining',
    rotating?.attempts > 1 && count(rotating.attempts, 'attempt'),
  ]);
}

function thingRow(fill) {
  const { root, parts } = make('thing');
  const problems = keyedList(parts.problems, problemRow);
  let before;
  /** @param {Look} look */
  const update = (thing, look) => {
    setLevel(root, parts, thing.level);
    problems(fill(parts, thing, look), (problem) => problem.code + problem.message);
    if (before !== undefined && look.continues && before.generation !== thing.generation) flash(root);
    before = thing;
  };
  return { root, update };
}

const resourceRow = () =>
  thingRow((parts, /** @type {Resource} */ resource) => {
    say(parts.name, resource.name);
    say(parts.kind, KINDS[resource.kind] ?? resource.kind);
    say(parts.state, stateOf(resource));
    sayOrHide(parts.under, resourceFacts(resource));
    sayOrHide(parts.note, '');
    return resource.problem ? [resource.problem] : [];
  });

const sourceRow = () =>
  thingRow((parts, /** @type {Source} */ source, /** @type {Look} */ look) => {
    const { lastRefreshAgeMs: age } = source;
    say(parts.name, source.source);
    say(parts.kind, '');
    const read = () =>
      age === undefined ? 'never read' : 'read ' + ago(age + performance.now() - look.seenAt);
    tick(parts.state, () => facts([source.status !== 'ok' && source.status, read()]));
    sayOrHide(parts.under, source.location);
    sayOrHide(parts.note, source.note);
    return source.problems;
  });

/** Problems first, else in the order of the store. */
const worstFirst = (things) => [...things].sort((a, b) => RANKS[a.level] - RANKS[b.level]);
`;
