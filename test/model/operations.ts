import * as fc from 'fast-check';
import { CONDITIONS, type Condition, FAULTS, type Fault, type Pace, type SourceTraits } from './world';

/** The names that sources hold. `pair.a` and `pair.b` are the two parts of one secret. */
export const NAMES = ['user', 'password', 'config', 'pair.a', 'pair.b', 'token', 'extra'] as const;
export type Name = (typeof NAMES)[number];
/** The names to ask a store or a snapshot for. No source has the last one. */
export const QUESTIONS = [...NAMES, 'pair', 'nowhere'] as const;

export const SCHEMAS = ['at once', 'after some microtasks', 'held', 'too late', 'throws'] as const;
/** What a read or a listener does to the store. */
const REACTIONS = ['hints', 'refreshes', 'holds a snapshot', 'asks for a name', 'closes'] as const;
export type Reaction = (typeof REACTIONS)[number] | 'throws' | 'rejects';
type EventName = 'change' | 'error' | 'recovered' | 'close';

/** One step of a run: plain data, so that fast-check can shrink it and a person can read it. */
export type Operation =
  | { readonly kind: 'rotate'; readonly source: number; readonly names: readonly Name[] | 'all' }
  | {
      readonly kind: 'swap';
      readonly source: number;
      readonly drop: readonly Name[];
      readonly add: readonly Name[];
    }
  | {
      readonly kind: 'spoil';
      readonly source: number;
      readonly name: Name;
      readonly condition: Condition;
      readonly others: boolean;
    }
  | { readonly kind: 'restore'; readonly source: number }
  | { readonly kind: 'fail'; readonly source: number; readonly fault: Fault; readonly times: number }
  | { readonly kind: 'down'; readonly source: number; readonly on: boolean }
  | { readonly kind: 'slow'; readonly source: number; readonly pace: Pace; readonly times: number }
  | { readonly kind: 'release'; readonly source: number }
  | { readonly kind: 'schema'; readonly answers: (typeof SCHEMAS)[number] }
  | {
      readonly kind: 'hint';
      readonly source: number;
      readonly trigger: 'watch' | 'poll';
      readonly times: number;
    }
  | {
      readonly kind: 'within read';
      readonly source: number;
      readonly later: boolean;
      readonly reaction: Reaction;
    }
  | { readonly kind: 'listener'; readonly event: EventName; readonly reaction: Reaction }
  | { readonly kind: 'watch problem'; readonly source: number; readonly on: boolean }
  | { readonly kind: 'refresh'; readonly times: number }
  | { readonly kind: 'hold' }
  | {
      readonly kind: 'ask snapshot';
      readonly snapshot: number;
      readonly name: string;
      readonly how: 'has' | 'reveal' | 'get' | 'names';
    }
  | { readonly kind: 'ask store'; readonly name: string }
  | { readonly kind: 'pass'; readonly ms: number }
  | { readonly kind: 'insist' }
  | { readonly kind: 'calm'; readonly by: 'refresh' | 'hints' }
  | { readonly kind: 'close' };

/** An operation, and how long the run waits after it: microtasks, then turns of the event loop. */
export interface Step {
  readonly operation: Operation;
  readonly microtasks: number;
  readonly turns: number;
}

export interface Scene {
  readonly declared: boolean;
  /** Whether the application reads every secret. In discovery, a secret that nobody has read may leave the store. */
  readonly readsAll: boolean;
  readonly sources: readonly { readonly traits: SourceTraits; readonly names: readonly Name[] }[];
  readonly steps: readonly Step[];
}

const source = fc.nat(3);
const name = fc.constantFrom(...NAMES);
const names = fc.subarray([...NAMES], { maxLength: 3 });
const times = fc.integer({ min: 1, max: 3 });
const of = <K extends Operation['kind'], T>(kind: K, rest: { [P in keyof T]: fc.Arbitrary<T[P]> }) =>
  fc.record({ kind: fc.constant(kind), ...rest }) as unknown as fc.Arbitrary<Extract<Operation, { kind: K }>>;

const pace = fc.record({
  microtasks: fc.nat(8),
  ms: fc.constantFrom(0, 0, 0, 20, 300),
  pictureAtEnd: fc.boolean(),
});

/** Each kind of operation, with its weight. */
const OPERATIONS: { readonly [K in Operation['kind']]: readonly [number, fc.Arbitrary<Operation>] } = {
  rotate: [14, of('rotate', { source, names: fc.oneof(fc.constant('all' as const), names) })],
  swap: [8, of('swap', { source, drop: names, add: names })],
  spoil: [7, of('spoil', { source, name, condition: fc.constantFrom(...CONDITIONS), others: fc.boolean() })],
  restore: [6, of('restore', { source })],
  fail: [8, of('fail', { source, fault: fc.constantFrom(...FAULTS), times })],
  down: [3, of('down', { source, on: fc.boolean() })],
  slow: [6, of('slow', { source, pace, times })],
  release: [3, of('release', { source })],
  schema: [4, of('schema', { answers: fc.constantFrom(...SCHEMAS) })],
  hint: [12, of('hint', { source, trigger: fc.constantFrom('watch', 'poll'), times })],
  'within read': [
    4,
    of('within read', { source, later: fc.boolean(), reaction: fc.constantFrom(...REACTIONS) }),
  ],
  listener: [
    4,
    of('listener', {
      event: fc.constantFrom('change', 'change', 'error', 'recovered', 'close'),
      reaction: fc.constantFrom('throws', 'rejects', ...REACTIONS),
    }),
  ],
  'watch problem': [2, of('watch problem', { source, on: fc.boolean() })],
  refresh: [12, of('refresh', { times })],
  hold: [6, of('hold', {})],
  'ask snapshot': [
    8,
    of('ask snapshot', {
      snapshot: fc.nat(9),
      name: fc.constantFrom(...QUESTIONS),
      how: fc.constantFrom('has', 'reveal', 'get', 'names'),
    }),
  ],
  'ask store': [5, of('ask store', { name: fc.constantFrom(...QUESTIONS) })],
  pass: [6, of('pass', { ms: fc.constantFrom(1, 50, 260, 450, 1_000, 2_000) })],
  insist: [2, of('insist', {})],
  calm: [4, of('calm', { by: fc.constantFrom('refresh', 'hints') })],
  close: [1, of('close', {})],
};
export const KINDS = Object.keys(OPERATIONS) as Operation['kind'][];

const step = fc.record({
  operation: fc.oneof(...Object.values(OPERATIONS).map(([weight, arbitrary]) => ({ weight, arbitrary }))),
  microtasks: fc.nat(6),
  turns: fc.constantFrom(0, 0, 0, 1, 1, 3),
});

const traits = fc.record({
  revisions: fc.boolean(),
  lists: fc.constantFrom(true, true, false),
  looksUp: fc.boolean(),
  tags: fc.boolean(),
});

export const scenes = (declared: boolean): fc.Arbitrary<Scene> =>
  fc.record({
    declared: fc.constant(declared),
    readsAll: declared ? fc.constant(true) : fc.boolean(),
    sources: fc.array(fc.record({ traits, names: fc.subarray([...NAMES]) }), { minLength: 1, maxLength: 4 }),
    steps: fc.array(step, { minLength: 1, maxLength: 100, size: 'max' }),
  });

/** Formats a scene for people. */
export function describeScene({ declared, readsAll, sources, steps }: Scene): string {
  const yes = (flags: SourceTraits) =>
    Object.entries(flags)
      .filter(([, on]) => on)
      .map(([flag]) => flag)
      .join(', ');
  const lines = sources.map(
    (one, index) => `  s${index}: ${one.names.join(', ') || '-'} (${yes(one.traits)})`,
  );
  const numbered = steps.map(({ operation, microtasks, turns }, index) => {
    const { kind, ...rest } = operation;
    const facts = Object.entries(rest).map(([key, value]) =>
      key === 'source' ? `s${Number(value) % sources.length}` : `${key} ${JSON.stringify(value)}`,
    );
    const pause = turns > 0 ? `${turns} turns` : `${microtasks} microtasks`;
    return `  ${index + 1}. ${kind} ${facts.join(' ')}  (then ${pause})`;
  });
  return [
    `${declared ? 'Declared secrets' : 'Discovery'}${readsAll ? '' : ', not read'}`,
    ...lines,
    ...numbered,
  ].join('\n');
}
