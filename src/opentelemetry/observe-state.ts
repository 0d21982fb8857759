import type { BatchObservableResult, Meter, Observable } from '@opentelemetry/api';
import { isolate } from '../internal/events';
import { gauges, type ObservedName, upDownCounters } from './instruments';
import type { Reading } from './readings';

/**
 * Reports what `read` returns, each time metrics are collected; returns what ends that. SDKs go on to report the last
 * value of what is not observed any more, so what is gone is told once as 0.
 */
export function observeState(
  meter: Meter,
  read: () => readonly Reading[],
  failed: (error: unknown) => void,
): () => void {
  const instruments = observables(meter);
  const all = [...instruments.values()];
  let told = new Map<string, Reading>();
  let over = false;

  function observe(result: BatchObservableResult): void {
    const readings = over ? [] : merged(read());
    const now = new Map(readings.map((reading) => [seriesOf(reading), reading]));
    const gone = [...told].filter(([series, { name }]) => !now.has(series) && name !== UNENDING);
    for (const { name, value, attributes } of [
      ...now.values(),
      ...gone.map(([, reading]) => ({ ...reading, value: 0 })),
    ]) {
      result.observe(instruments.get(name) as Observable, value, attributes);
    }
    told = now;
    // Not at once: the SDK is going through its list.
    if (over) queueMicrotask(() => isolate(remove, failed));
  }

  const remove = () => meter.removeBatchObservableCallback(callback, all);
  const callback = (result: BatchObservableResult) => isolate(() => observe(result), failed);
  meter.addBatchObservableCallback(callback, all);
  return () => {
    over = true;
  };
}

// No time left would be an alarm.
const UNENDING: ObservedName = 'hot_secrets.secret.time_left';

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

/** Resources and sources of one name are one series: what adds up is added, of the rest the worst counts. */
function merged(readings: readonly Reading[]): Reading[] {
  const series = new Map<string, Reading>();
  for (const reading of readings) {
    const same = series.get(seriesOf(reading));
    const value = same === undefined ? reading.value : worse(reading.name, same.value, reading.value);
    series.set(seriesOf(reading), { ...reading, value });
  }
  return [...series.values()];
}

function worse(name: ObservedName, a: number, b: number): number {
  if (name in upDownCounters) return a + b;
  return name === 'hot_secrets.source.staleness' ? Math.max(a, b) : Math.min(a, b);
}

function seriesOf({ name, attributes }: Reading): string {
  return `${name} ${JSON.stringify(attributes)}`;
}
