import type { Definition } from '../definitions/definition';
import { isSecretsError, type SecretsError } from '../errors';
import { deadline } from '../internal/time';
import type { OfStore } from '../observe/channels';
import { type Finding, find } from './assemble';
import { discovered } from './declared';
import { type Problems, subjectOfSecret, subjectOfSource } from './problems';
import type { Serving } from './snapshot';
import type { Outcome, SourceState } from './source-state';
import type { SecretChange } from './types';

/** What the engine works on. */
export interface EngineState {
  /** Whose secrets these are. */
  readonly owner: OfStore;
  readonly sources: readonly SourceState[];
  /** Grows by discovery where nothing was declared. */
  readonly definitions: Map<string, Definition<unknown>>;
  readonly discovering: boolean;
  /** Names that lie in a source and cannot be the name of a secret. */
  readonly refused: Set<string>;
  readonly problems: Problems;
  readonly timeoutMs: number;
}

/** The entries after a look, and what changed. `entries` is the given map itself when nothing did. */
export interface LookResult {
  readonly entries: ReadonlyMap<string, Serving>;
  readonly changes: readonly SecretChange[];
}

/** Reads one source, and says when that begins or ceases to fail. */
export async function readSource(
  state: EngineState,
  current: ReadonlyMap<string, Serving>,
  { index, force }: { readonly index: number; readonly force: boolean },
  signal: AbortSignal,
): Promise<Outcome> {
  // Closed meanwhile: what waits its turn is no longer wanted.
  if (signal.aborted) return { kind: 'unchanged' };
  const source = state.sources[index] as SourceState;
  const wanted = [...state.definitions].filter(([name]) => {
    const servedBy = current.get(name)?.sourceIndex;
    // A discovered name without a value is read for as long as it is listed: nobody is known to want it.
    if (servedBy === undefined) return !state.discovering;
    // A name never moves down, so what lies below is not asked for: in a vault that would be a request.
    return servedBy >= index;
  });
  const lookups = wanted.flatMap(([, definition]) => definition.lookups);
  const since = force ? undefined : source.revision;
  const timeout = deadline(signal, state.timeoutMs);
  const request = { lookups, list: state.discovering, since, signal: timeout.signal };
  const outcome = await source.look(request, state.timeoutMs);
  timeout.release();
  if (signal.aborted) return outcome;
  const subject = subjectOfSource(index, 'read');
  if (outcome.kind === 'failed') state.problems.set(subject, outcome.error, outcome.error.message);
  else state.problems.clear(subject);
  return outcome;
}

/**
 * Compares bytes, validates, and proposes the next generation. A source whose new picture is not whole (a value failed,
 * was refused, or a required one vanished) is held back as a whole, so that no generation mixes its old values with its
 * new ones.
 */
export async function assemble(
  state: EngineState,
  current: ReadonlyMap<string, Serving>,
  outcomes: ReadonlyMap<number, Outcome>,
): Promise<LookResult> {
  if ([...outcomes.values()].every((outcome) => outcome.kind === 'unchanged')) {
    return { entries: current, changes: [] };
  }
  if (state.discovering) discover(state, outcomes);

  const { owner, sources, timeoutMs } = state;
  const context = { owner, sources, outcomes, now: new Date(), timeoutMs };
  const findings = new Map<string, Finding>();
  for (const [name, definition] of state.definitions) {
    findings.set(name, await find(name, definition, current.get(name), context));
  }
  wipe(outcomes);

  const held = heldBack(state, current, findings);
  const torn = tornAbove(findings);
  for (const index of [...held, ...torn]) (state.sources[index] as SourceState).revision = undefined;
  reportProblems(state, findings);
  return apply(current, findings, held, torn);
}

/** Names that lie in a source and were not declared. */
function discover(state: EngineState, outcomes: ReadonlyMap<number, Outcome>): void {
  for (const outcome of outcomes.values()) {
    if (outcome.kind !== 'read') continue;
    for (const name of outcome.readings.keys()) {
      if (state.definitions.has(name)) continue;
      try {
        state.definitions.set(name, discovered(name));
      } catch (error) {
        if (!isSecretsError(error)) throw error;
        state.refused.add(name);
        state.problems.set(subjectOfSecret(name), error);
      }
    }
  }
  for (const name of state.refused) {
    if (state.sources.some(({ readings }) => readings.has(name))) continue;
    state.refused.delete(name);
    state.problems.clear(subjectOfSecret(name));
  }
}

/** The bytes were ours alone; what is kept of them are decoded values. */
function wipe(outcomes: ReadonlyMap<number, Outcome>): void {
  for (const outcome of outcomes.values()) {
    if (outcome.kind !== 'read') continue;
    for (const reading of outcome.readings.values()) {
      if (reading.status === 'found') reading.bytes.fill(0);
    }
  }
}

function heldBack(
  state: EngineState,
  current: ReadonlyMap<string, Serving>,
  findings: ReadonlyMap<string, Finding>,
): Set<number> {
  const held = new Set<number>();
  for (const [name, finding] of findings) {
    if (finding.kind !== 'problem' || current.get(name)?.sourceIndex !== finding.at) continue;
    // An optional secret may go: the rest of its source is complete without it.
    if (finding.cause === 'vanished' && !state.definitions.get(name)?.required) continue;
    held.add(finding.at);
  }
  return held;
}

/** Sources that serve something from below now and cannot hand out all of it: names move up to them together. */
function tornAbove(findings: ReadonlyMap<string, Finding>): Set<number> {
  const torn = new Set<number>();
  for (const { above } of findings.values())
    if (above !== undefined && above !== 'unseen') torn.add(above.at);
  return torn;
}

function reportProblems(state: EngineState, findings: ReadonlyMap<string, Finding>): void {
  for (const [name, finding] of findings) {
    const subject = subjectOfSecret(name);
    if (finding.kind === 'problem') {
      if (finding.cause !== 'source') state.problems.set(subject, finding.error, finding.cause);
    } else if (finding.above === 'unseen') {
      // Whether the problem above is over was not asked in this look.
    } else if (finding.above !== undefined) {
      state.problems.set(subject, finding.above.error, finding.above.cause);
    } else if (finding.kind !== 'unseen') {
      state.problems.clear(subject);
    }
  }
}

function apply(
  current: ReadonlyMap<string, Serving>,
  findings: ReadonlyMap<string, Finding>,
  held: ReadonlySet<number>,
  torn: ReadonlySet<number>,
): LookResult {
  const next = new Map(current);
  const changes: SecretChange[] = [];
  let moved = false;
  for (const [name, finding] of findings) {
    if (finding.kind !== 'value' || held.has(finding.serving.sourceIndex)) continue;
    const before = current.get(name);
    const movesUp = before !== undefined && before.sourceIndex !== finding.serving.sourceIndex;
    if (movesUp && torn.has(finding.serving.sourceIndex)) continue;
    next.set(name, finding.serving);
    if (before?.digest === finding.serving.digest) {
      moved = true;
      continue;
    }
    changes.push({
      name,
      kind: before === undefined ? 'added' : 'rotated',
      source: finding.serving.secret.source,
      version: finding.serving.secret.version,
      previousVersion: before?.secret.version,
    });
  }
  return changes.length > 0 || moved ? { entries: next, changes } : { entries: current, changes };
}

/** The first thing that keeps a store from opening, if any. */
export function openProblem(
  state: EngineState,
  entries: ReadonlyMap<string, Serving>,
): { error: SecretsError } | { missing: string[] } | undefined {
  const missing: string[] = [];
  for (const [name, definition] of state.definitions) {
    if (!definition.required || entries.has(name)) continue;
    const error = state.problems.get(subjectOfSecret(name));
    if (error !== undefined) return { error };
    missing.push(name);
  }
  const failed = state.sources.find(({ failure }) => failure !== undefined)?.failure;
  if (failed !== undefined && (missing.length > 0 || state.discovering)) return { error: failed };
  return missing.length > 0 ? { missing } : undefined;
}
