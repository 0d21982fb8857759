import type { Attributes, BatchObservableResult, Meter, Observable } from '@opentelemetry/api';
import { isolate } from '../internal/events';
import type { Observed, ResourceState } from '../observe/observed';
import type { ExpiryReport, StoreHealth } from '../store/types';
import { gauges, key, type ObservedName, ofResource, upDownCounters } from './instruments';

/** One value of one instrument. */
export interface Measurement {
  readonly name: ObservedName;
  readonly value: number;
  readonly attributes: Attributes;
}

const STATES: readonly StoreHealth['status'][] = ['ok', 'degraded', 'stale'];

/** Measures a store. */
export function ofHealth(store: string, { status, generation, sources }: StoreHealth): Measurement[] {
  const own = { [key.store]: store };
  return [
    { name: 'hot_secrets.store.generation', value: generation, attributes: own },
    ...STATES.map((state) => ({
      name: 'hot_secrets.store.status' as const,
      value: state === status ? 1 : 0,
      attributes: { ...own, [key.state]: state },
    })),
    ...sources.flatMap(({ source, lastRefreshAgeMs }) =>
      lastRefreshAgeMs === undefined
        ? []
        : {
            name: 'hot_secrets.source.staleness' as const,
            value: lastRefreshAgeMs / 1000,
            attributes: { ...own, [key.source]: source },
          },
    ),
  ];
}

/** Measures the resources of a store. */
export function ofResources({ store, resources }: Observed): Measurement[] {
  return [...resources].flatMap((state) => ofResourceState(store, state()));
}

function ofResourceState(store: string, state: ResourceState): Measurement[] {
  const { kind, name: resource, generation, draining, connections, rotating, refused } = state;
  const own = ofResource({ store, resource, kind });
  const connectionsIn = (connectionState: string, value: number): Measurement => ({
    name: 'hot_secrets.resource.connection.count',
    value,
    attributes: { ...own, [key.connectionState]: connectionState },
  });
  return [
    ...(generation === undefined
      ? []
      : [{ name: 'hot_secrets.resource.generation' as const, value: generation, attributes: own }]),
    { name: 'hot_secrets.resource.draining.count', value: draining, attributes: own },
    { name: 'hot_secrets.resource.rejected', value: rotating?.code === undefined ? 0 : 1, attributes: own },
    { name: 'hot_secrets.resource.refused', value: refused ? 1 : 0, attributes: own },
    ...(connections === undefined ? [] : [connectionsIn('draining', connections.stale)]),
    ...(connections?.open === undefined
      ? []
      : [connectionsIn('current', connections.open - connections.stale)]),
  ];
}

interface Series {
  readonly what: string;
  readonly subject: string;
}

/** Limits the subjects of one secret, because an authority may give each certificate a different name. */
const MAX_SUBJECTS = 20;
const OTHER = '_OTHER';

/**
 * Measures the days until values expire. SDKs keep reporting the last value of a series, so the series of a certificate that is gone
 * reports its replacement. Otherwise a name that was about to expire would raise alarms forever.
 */
export class TimeLeft {
  readonly #store: string;
  /** Everything reported so far, by secret. */
  readonly #seen = new Map<string, Map<string, Series>>();

  constructor(store: string) {
    this.#store = store;
  }

  measure(expiries: readonly ExpiryReport[]): Measurement[] {
    const current = new Map<string, Map<string, number>>();
    for (const { name, what, subject, daysLeft } of expiries) {
      const series = this.#seriesOf(name, what, subject);
      const days = current.get(name) ?? new Map<string, number>();
      current.set(name, days.set(series, Math.min(daysLeft, days.get(series) ?? daysLeft)));
    }
    return [...current].flatMap(([secret, days]) => {
      const least = Math.min(...days.values());
      return [...(this.#seen.get(secret) ?? [])].map(([series, { what, subject }]) => ({
        name: 'hot_secrets.secret.time_left' as const,
        value: days.get(series) ?? least,
        attributes: {
          [key.store]: this.#store,
          [key.secret]: secret,
          [key.expiryOf]: what,
          [key.expirySubject]: subject,
        },
      }));
    });
  }

  #seriesOf(secret: string, what: string, subject: string): string {
    const seen = this.#seen.get(secret) ?? new Map<string, Series>();
    this.#seen.set(secret, seen);
    const series = `${what} ${subject}`;
    if (seen.has(series)) return series;
    if (seen.size < MAX_SUBJECTS) {
      seen.set(series, { what, subject });
      return series;
    }
    const other = `${what} ${OTHER}`;
    seen.set(other, { what, subject: OTHER });
    return other;
  }
}

/**
 * Reports what `measure` returns each time metrics are collected. Returns a function that stops it. SDKs keep reporting the
 * last value of a series, so series that are gone report 0 once.
 */
export function observeState(
  meter: Meter,
  measure: () => readonly Measurement[],
  failed: (error: unknown) => void,
): () => void {
  const instruments = observables(meter);
  const all = [...instruments.values()];
  let reported = new Map<string, Measurement>();
  let over = false;

  function observe(result: BatchObservableResult): void {
    const measurements = over ? [] : merged(measure());
    const now = new Map(measurements.map((one) => [seriesOf(one), one]));
    const gone = [...reported].filter(([series, { name }]) => !now.has(series) && name !== WITHOUT_END);
    for (const { name, value, attributes } of [
      ...now.values(),
      ...gone.map(([, one]) => ({ ...one, value: 0 })),
    ]) {
      result.observe(instruments.get(name) as Observable, value, attributes);
    }
    reported = now;
    // Later, because the SDK is iterating over its list.
    if (over) queueMicrotask(() => isolate(remove, failed));
  }

  const remove = () => meter.removeBatchObservableCallback(callback, all);
  const callback = (result: BatchObservableResult) => isolate(() => observe(result), failed);
  meter.addBatchObservableCallback(callback, all);
  return () => {
    over = true;
  };
}

// 0 days left would raise an alarm.
const WITHOUT_END: ObservedName = 'hot_secrets.secret.time_left';

function observables(meter: Meter): Map<ObservedName, Observable> {
  const instruments = new Map<ObservedName, Observable>();
  for (const [name, options] of Object.entries(gauges)) {
    instruments.set(name as ObservedName, meter.createObservableGauge(name, options));
  }
  for (const [name, options] of Object.entries(upDownCounters)) {
    instruments.set(name as ObservedName, meter.createObservableUpDownCounter(name, options));
  }
  return instruments;
}

/** Merges resources and sources of the same name into one series: adds up counts, and takes the worst of other values. */
function merged(measurements: readonly Measurement[]): Measurement[] {
  const series = new Map<string, Measurement>();
  for (const one of measurements) {
    const same = series.get(seriesOf(one));
    const value = same === undefined ? one.value : worse(one.name, same.value, one.value);
    series.set(seriesOf(one), { ...one, value });
  }
  return [...series.values()];
}

function worse(name: ObservedName, a: number, b: number): number {
  if (name in upDownCounters) return a + b;
  return name === 'hot_secrets.source.staleness' ? Math.max(a, b) : Math.min(a, b);
}

function seriesOf({ name, attributes }: Measurement): string {
  return `${name} ${JSON.stringify(attributes)}`;
}
