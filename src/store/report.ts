import type { SecretsErrorCode } from '../errors';
import { noteOf } from './errors';
import type { Catalog, Generation } from './generation';
import type { Problems } from './problems';
import type { SourceReader } from './source-reader';
import type { ExpiryReport, SecretReport, SourceReport, StoreHealth, StoreReport } from './types';

/** The state that reports are made from. */
export interface ReportInput {
  readonly generation: Generation;
  readonly catalog: Catalog;
  readonly problems: {
    readonly secrets: Problems<string>;
    readonly warnings: Problems<string>;
    readonly sources: Problems<SourceReader>;
  };
}

export function reportOf(input: ReportInput): StoreReport {
  const { number, entries, views, refused } = input.generation;
  const names = new Set([...input.catalog.definitions.keys(), ...entries.keys(), ...refused.keys()]);
  return {
    generation: number,
    secrets: [...names].map((name) => reportSecret(input, name)),
    sources: [...views.keys()].map((reader) => reportSource(input, reader)),
  };
}

export function healthOf(input: ReportInput, expiries: readonly ExpiryReport[]): StoreHealth {
  const { number, views, refused } = input.generation;
  const sources = [...views.keys()].map((reader) => reportSource(input, reader));
  const names = new Set([...input.catalog.definitions.keys(), ...refused.keys()]);
  const secrets = [...names].flatMap((name) => {
    const problem = problemOf(input, name);
    const codes = [...(problem === undefined ? [] : [problem]), ...warningsOf(input, name)];
    return codes.map((code) => ({ name, problem: code }));
  });
  const degraded =
    secrets.some(({ name }) => counts(input, name)) || sources.some(({ status }) => status === 'degraded');
  const stale = sources.some(({ status }) => status === 'stale');
  return {
    status: stale ? 'stale' : degraded ? 'degraded' : 'ok',
    generation: number,
    sources,
    secrets,
    expiries,
  };
}

function reportSecret(input: ReportInput, name: string): SecretReport {
  const { entries, views } = input.generation;
  const entry = entries.get(name);
  const definition = input.catalog.definitions.get(name);
  const above = [...views].filter(([{ rank }]) => entry === undefined || rank < entry.source.rank);
  return {
    name,
    required: definition?.required ?? false,
    source: entry?.secret.source,
    origin: entry?.secret.origin,
    version: entry?.secret.version,
    ageMs: entry === undefined ? undefined : Date.now() - entry.secret.loadedAt.getTime(),
    passed: above.map(([{ source }, { answers }]) => ({
      source: source.name,
      looked: (definition?.lookups ?? []).map((one) => answers.get(one.name)?.looked ?? one.name).join(', '),
    })),
    problem: problemOf(input, name),
    warnings: warningsOf(input, name),
  };
}

/** A listed file that nobody reads, and that cannot be a secret, is shown but does not make the store worse. */
function counts({ catalog, generation }: ReportInput, name: string): boolean {
  const { discovery } = catalog;
  if (discovery === undefined || discovery.asked.has(name) || generation.entries.has(name)) return true;
  const kind = generation.problems.get(name)?.kind;
  return kind !== 'invalid';
}

function problemOf({ problems }: ReportInput, name: string): SecretsErrorCode | undefined {
  return problems.secrets.get(name, 'value')?.code;
}

function warningsOf({ problems }: ReportInput, name: string): SecretsErrorCode[] {
  return problems.warnings.of(name).map(({ code }) => code);
}

function reportSource({ problems }: ReportInput, reader: SourceReader): SourceReport {
  const { source, lastReadAt } = reader;
  const found = problems.sources.of(reader);
  const age = lastReadAt === undefined ? undefined : Date.now() - lastReadAt;
  const stale = age !== undefined && age > (source.maxStalenessMs ?? Number.POSITIVE_INFINITY);
  return {
    source: source.name,
    location: source.location,
    status: stale ? 'stale' : found.length > 0 ? 'degraded' : 'ok',
    lastRefreshAgeMs: age,
    maxStalenessMs: source.maxStalenessMs,
    note: noteOf(reader),
    problems: found.map(({ code, message }) => ({ code, message })),
  };
}
