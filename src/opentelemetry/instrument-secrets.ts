import type * as OpenTelemetry from '@opentelemetry/api';
import type { Meter, MeterProvider, Tracer, TracerProvider } from '@opentelemetry/api';
import { isolate } from '../internal/events';
import { flag, passed, readOptions } from '../internal/options';
import { type ModuleWith, peer } from '../internal/peer';
import { listenerFailure, SayOnce } from '../internal/warnings';
import { type ChannelListeners, subscribe } from '../observe/channels';
import { observedOf } from '../observe/observed';
import type { SecretStore } from '../store/types';
import { observeState, ofHealth, ofResources, TimeLeft } from './measurements';
import { countMessages, countReads, traceMessages } from './messages';

/** Options of `instrumentSecrets`. */
export interface InstrumentOptions {
  /** Receives the metrics. Default: a meter of `meterProvider`. */
  readonly meter?: Meter | undefined;
  /** Default: the global provider of `@opentelemetry/api`, so start the SDK first. */
  readonly meterProvider?: MeterProvider | undefined;
  /** Receives the spans. Default: a tracer of `tracerProvider`. */
  readonly tracer?: Tracer | undefined;
  /** Makes the tracer. Default: the global provider. */
  readonly tracerProvider?: TracerProvider | undefined;
  /** Also counts the reads of each secret. Default: false. */
  readonly access?: boolean | undefined;
  /** The `@opentelemetry/api` package to use instead of the installed one: `import * as api from '@opentelemetry/api'`. */
  readonly api?: ModuleWith<(typeof USES)[number]> | undefined;
}

/** The part of a store that `instrumentSecrets` needs. */
export type InstrumentedStore = Pick<SecretStore<unknown>, 'health' | 'on'>;

const USES = ['metrics', 'trace', 'SpanStatusCode'] as const;

const SCOPE = 'hot-secrets';

/**
 * Reports metrics and spans of a store and its resources through `@opentelemetry/api`: names, codes and numbers, never a
 * value. Returns a function that stops it, as the store's `close` does. A failure of the SDK becomes a process warning
 * (`LISTENER_FAILED`), once per cause, and does not affect the store.
 *
 * Throws `PEER_MISSING`, `PEER_UNSUPPORTED`, `OPTION_UNKNOWN`, `OPTION_INVALID`, `STORE_CLOSED`.
 *
 * @example
 * ```ts
 * const stop = instrumentSecrets(secrets);
 * ```
 */
export function instrumentSecrets(store: InstrumentedStore, options?: InstrumentOptions): () => void {
  const given = readOptions('instrumentSecrets', options, {
    meter: passed<Meter>(),
    meterProvider: passed<MeterProvider>(),
    tracer: passed<Tracer>(),
    tracerProvider: passed<TracerProvider>(),
    access: flag(false),
    api: passed<object>(),
  });
  const api = peer<typeof OpenTelemetry>('@opentelemetry/api', USES, given.api);
  const meter = given.meter ?? (given.meterProvider ?? api.metrics).getMeter(SCOPE);
  const tracer = given.tracer ?? (given.tracerProvider ?? api.trace).getTracer(SCOPE);
  const observed = observedOf(store);
  const warnings = new SayOnce();
  const failed = (error: unknown) => warnings.say(listenerFailure('telemetry', error));
  const listen = (listeners: ChannelListeners) => subscribe(isolated(listeners, failed), observed.storeId);

  function metrics(): () => void {
    const timeLeft = new TimeLeft(observed.store);
    const measure = () => {
      const health = store.health();
      const { expiries } = health;
      return [...ofHealth(observed.store, health), ...timeLeft.measure(expiries), ...ofResources(observed)];
    };
    const listeners = countMessages(meter);
    const leave = observeState(meter, measure, failed);
    const unsubscribe = listen(listeners);
    return () => {
      unsubscribe();
      leave();
    };
  }

  function spans(): () => void {
    const { listeners, end } = traceMessages(tracer, api);
    const unsubscribe = listen(listeners);
    return () => {
      unsubscribe();
      isolate(end, failed);
    };
  }

  const stops: (() => void)[] = [];
  const stop = () => {
    for (const one of stops.splice(0)) one();
  };
  stops.push(store.on('close', stop));
  try {
    stops.push(share(meter, `metrics ${observed.storeId}`, metrics));
    stops.push(share(tracer, `spans ${observed.storeId}`, spans));
    if (given.access) {
      stops.push(share(meter, `reads ${observed.storeId}`, () => listen(countReads(meter))));
    }
  } catch (error) {
    stop();
    throw error;
  }
  return stop;
}

/** An exception in a channel's subscriber ends the process, so exceptions of an SDK must not reach it. */
function isolated(listeners: ChannelListeners, failed: (error: unknown) => void): ChannelListeners {
  const entries = Object.entries(listeners).map(([name, listener]) => [
    name,
    (message: never) => isolate(() => (listener as (message: never) => void)(message), failed),
  ]);
  return Object.fromEntries(entries) as ChannelListeners;
}

type Running = Map<string, { users: number; readonly stop: () => void }>;

// A registered symbol, because the ESM and CJS copies of the package may use the same meter.
const RUNNING = Symbol.for('hot-secrets.instrumented');
const registry = globalThis as { [RUNNING]?: WeakMap<object, Running> };
registry[RUNNING] ??= new WeakMap();
const running = registry[RUNNING];

/**
 * Starts something once per target, because two instrumentations of one store must not count everything twice. Returns a
 * function that releases it; the last release stops it.
 */
function share(target: object, what: string, start: () => () => void): () => void {
  const all = running.get(target) ?? new Map();
  running.set(target, all);
  const shared = all.get(what) ?? { users: 0, stop: start() };
  all.set(what, shared);
  shared.users += 1;
  let held = true;
  return () => {
    if (!held) return;
    held = false;
    shared.users -= 1;
    if (shared.users > 0) return;
    all.delete(what);
    shared.stop();
  };
}
