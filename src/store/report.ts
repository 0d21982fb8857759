import type { SecretsErrorCode } from '../errors';
import type { EngineState } from './engine';
import { subjectOfSecret, subjectOfWarning } from './problems';
import type { Serving } from './snapshot';
import type { ExpiryReport, SecretReport, SourceReport, StoreHealth, StoreReport } from './types';

type Entries = ReadonlyMap<string, Serving>;

export function reportOf(state: EngineState, generation: number, entries: Entries): StoreReport {
  const names = new Set([...state.definitions.keys(), ...entries.keys()]);
  return {
    generation,
    secrets: [...names].map((name) => reportSecret(state, name, entries.get(name))),
    sources: state.sources.map((_, index) => reportSource(state, index)),
  };
}

export function healthOf(
  state: EngineState,
  generation: number,
  expiries: readonly ExpiryReport[],
): StoreHealth {
  const sources = state.sources.map((_, index) => reportSource(state, index));
  const secrets = [...state.definitions.keys()].flatMap((name) => {
    const problem = state.problems.get(subjectOfSecret(name))?.code;
    const codes = [...(problem === undefined ? [] : [problem]), ...warningsOf(state, name)];
    return codes.map((code) => ({ name, problem: code }));
  });
  const degraded = secrets.length > 0 || sources.some(({ status }) => status === 'degraded');
  const stale = sources.some(({ status }) => status === 'stale');
  return {
    status: stale ? 'stale' : degraded ? 'degraded' : 'ok',
    generation,
    sources,
    secrets,
    expiries,
  };
}

function reportSecret(state: EngineState, name: string, serving: Serving | undefined): SecretReport {
  const definition = state.definitions.get(name);
  const above = state.sources.slice(0, serving?.sourceIndex ?? state.sources.length);
  return {
    name,
    required: definition?.required ?? false,
    source: serving?.secret.source,
    origin: serving?.secret.origin,
    version: serving?.secret.version,
    ageMs: serving === undefined ? undefined : Date.now() - serving.secret.loadedAt.getTime(),
    passed: above.map(({ source, looked }) => ({
      source: source.name,
      looked: (definition?.lookups ?? []).map((one) => looked.get(one.name) ?? one.name).join(', '),
    })),
    problem: state.problems.get(subjectOfSecret(name))?.code,
    warnings: warningsOf(state, name),
  };
}

function warningsOf(state: EngineState, name: string): SecretsErrorCode[] {
  return state.problems.startingWith(subjectOfWarning(name)).map(({ code }) => code);
}

function reportSource(state: EngineState, index: number): SourceReport {
  const { source, lastRefreshAt } = state.sources[index] as EngineState['sources'][number];
  const problems = state.problems.startingWith(`source ${index} `);
  const age = lastRefreshAt === undefined ? undefined : Date.now() - lastRefreshAt;
  const stale = age !== undefined && age > (source.maxStalenessMs ?? Number.POSITIVE_INFINITY);
  return {
    source: source.name,
    location: source.location,
    status: stale ? 'stale' : problems.length > 0 ? 'degraded' : 'ok',
    lastRefreshAgeMs: age,
    maxStalenessMs: source.maxStalenessMs,
    note: source.note?.(),
    problems: problems.map(({ code, message }) => ({ code, message })),
  };
}
