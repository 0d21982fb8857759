import type * as OpenTelemetry from '@opentelemetry/api';
import type { Meter, MeterProvider, Tracer, TracerProvider } from '@opentelemetry/api';
import { isolate } from '../internal/events';
import { rejectUnknownOptions } from '../internal/options';
import { loadPeer } from '../internal/peer';
import { listenerFailure, SayOnce } from '../internal/warnings';
import { type ChannelListeners, subscribe } from '../observe/channels';
import { observedOf } from '../observe/observed';
import type { SecretStore } from '../store/types';
import { countMessages, countReads } from './count-messages';
import { observeState } from './observe-state';
import { ofHealth, ofResources, TimeLeft } from './readings';
import { share } from './share';
import { traceMessages } from './trace-messages';

export interface InstrumentOptions {
  /** Where metrics go. Default: a meter of `meterProvider`. */
  readonly meter?: Meter;
  /** Default: the global one of `@opentelemetry/api`, so start the SDK first. */
  readonly meterProvider?: MeterProvider;
  /** Where spans go. Default: a tracer of `tracerProvider`. */
  readonly tracer?: Tracer;
  /** Default: the global one. */
  readonly tracerProvider?: TracerProvider;
  /** Counts the reads of each secret, too. Default: false. */
  readonly access?: boolean;
}

/** What `instrumentSecrets` needs of a store. */
export type InstrumentedStore = Pick<SecretStore<unknown>, 'health' | 'on'>;

const WHERE = 'instrumentSecrets';
const SCOPE = 'hot-secrets';

/**
 * Metrics and spans of a store and of all that follows it, through `@opentelemetry/api`: names, codes and numbers, never a
 * value. Returns what stops it, which the store's `close` does too. A failure of the SDK is a process warning
 * (`LISTENER_FAILED`), once per cause, and no harm to the store.
 *
 * Throws `PEER_MISSING`, `OPTION_UNKNOWN`, `STORE_CLOSED`.
 *
 * @example
 * ```ts
 * const stop = instrumentSecrets(secrets);
 * ```
 */
export function instrumentSecrets(store: InstrumentedStore, options: InstrumentOptions = {}): () => void {
  rejectUnknownOptions(WHERE, options, ['meter', 'meterProvider', 'tracer', 'tracerProvider', 'access']);
  const api = loadPeer<typeof OpenTelemetry>('@opentelemetry/api');
  const meter = options.meter ?? (options.meterProvider ?? api.metrics).getMeter(SCOPE);
  const tracer = options.tracer ?? (options.tracerProvider ?? api.trace).getTracer(SCOPE);
  const observed = observedOf(store);
  const warnings = new SayOnce();
  const failed = (error: unknown) => warnings.say(listenerFailure('telemetry', error));
  const listen = (listeners: ChannelListeners) => subscribe(isolated(listeners, failed), observed.storeId);

  function metrics(): () => void {
    const timeLeft = new TimeLeft(observed.store);
    const read = () => {
      const health = store.health();
      const { expiries } = health;
      return [...ofHealth(observed.store, health), ...timeLeft.readings(expiries), ...ofResources(observed)];
    };
    const listeners = countMessages(meter);
    const leave = observeState(meter, read, failed);
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
    if (options.access === true) {
      stops.push(share(meter, `reads ${observed.storeId}`, () => listen(countReads(meter))));
    }
  } catch (error) {
    stop();
    throw error;
  }
  return stop;
}

/** What a subscriber of a channel throws ends the process: nothing of an SDK may get that far. */
function isolated(listeners: ChannelListeners, failed: (error: unknown) => void): ChannelListeners {
  const entries = Object.entries(listeners).map(([name, listener]) => [
    name,
    (message: never) => isolate(() => (listener as (message: never) => void)(message), failed),
  ]);
  return Object.fromEntries(entries) as ChannelListeners;
}
