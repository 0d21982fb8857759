import { SecretsError } from '../errors';
import { builtin } from '../internal/builtins';
import { kindOf, ms, readOptions } from '../internal/options';
import { warn } from '../internal/warnings';
import { assertStore } from './assert-store';
import { RefreshSoon } from './refresh-soon';
import type { SecretStore } from './types';

/** Durations are milliseconds. */
export interface SignalOptions {
  /** The least time between the starts of two refreshes; the first one is never delayed. Default: 1 000. */
  readonly minIntervalMs?: number | undefined;
}

const WHERE = 'reloadOnSignal';

/** Signals that Node reserves, or that no process can handle. */
const RESERVED: ReadonlySet<string> = new Set(['SIGKILL', 'SIGSTOP', 'SIGUSR1', 'SIGPROF']);

/**
 * Refreshes the store when the process receives a signal (`trigger`: the signal's name, `sighup`): how a sidecar, a cron
 * job or a person with `kill` announces a rotation. Any number of signals cause few refreshes.
 *
 * Returns a function that stops it; `close()` of the store stops it too. After that the signal regains its default
 * behaviour, which for SIGHUP is to end the process.
 *
 * Signals do not exist on Windows or in worker threads. There, the call emits a process warning (`SIGNAL_UNAVAILABLE`)
 * and has no other effect: the store still finds rotations by itself.
 *
 * Throws `OPTION_INVALID` (also for a signal that cannot be handled), `OPTION_UNKNOWN`, `STORE_CLOSED`.
 *
 * @example
 * ```ts
 * reloadOnSignal(secrets, 'SIGHUP'); // kill -HUP 1
 * ```
 */
export function reloadOnSignal(
  store: Pick<SecretStore<unknown>, 'refresh' | 'on'>,
  signal: NodeJS.Signals = 'SIGHUP',
  options: SignalOptions = {},
): () => void {
  assertStore(WHERE, store, ['refresh', 'on']);
  assertSignal(signal);
  const { minIntervalMs } = readOptions(WHERE, options, { minIntervalMs: ms(1_000) });
  const soon = new RefreshSoon(store, signal.toLowerCase(), { minIntervalMs, spreadMs: 0 });
  const place = placeWithoutSignals();
  if (place !== undefined) {
    warn(signalUnavailable(signal, place));
    return () => {};
  }
  const request = () => void soon.request();
  const stopListening = () => void process.off(signal, request);
  const unsubscribe = store.on('close', stopListening);
  process.on(signal, request);
  return () => {
    unsubscribe();
    stopListening();
  };
}

function assertSignal(signal: unknown): void {
  const exists =
    typeof signal === 'string' && (signal in builtin('os').constants.signals || signal === 'SIGBREAK');
  if (exists && !RESERVED.has(signal)) return;
  const what = typeof signal === 'string' && /^\w{1,20}$/.test(signal) ? signal : kindOf(signal);
  throw new SecretsError('OPTION_INVALID', `${WHERE} cannot listen for ${what}`, {
    next: 'Use SIGHUP or SIGUSR2. Node reserves SIGUSR1 for its debugger; no process can handle SIGKILL or SIGSTOP.',
  });
}

function placeWithoutSignals(): string | undefined {
  if (process.platform === 'win32') return 'on Windows';
  return builtin('worker_threads').isMainThread ? undefined : 'in a worker thread';
}

function signalUnavailable(signal: string, place: string): SecretsError {
  return new SecretsError('SIGNAL_UNAVAILABLE', `${signal} does not exist ${place}: ${WHERE} has no effect`, {
    next: 'The store still finds rotations by itself. To ask for a refresh, use reloadHandler, or call refresh() in the main thread.',
  });
}
