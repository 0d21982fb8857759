import { SecretsError } from '../errors';
import { builtin } from '../internal/builtins';
import { kindOf, ms, readOptions } from '../internal/options';
import { warn } from '../internal/warnings';
import { assertStore } from './assert-store';
import { RefreshSoon } from './refresh-soon';
import type { SecretStore } from './types';

/** Durations are milliseconds. */
export interface SignalOptions {
  /** Minimum time between the starts of two refreshes. The first is never delayed. Default: 1 000. */
  readonly minIntervalMs?: number | undefined;
}

const WHERE = 'reloadOnSignal';

/** Signals that Node reserves or that no process can handle. */
const RESERVED: ReadonlySet<string> = new Set(['SIGKILL', 'SIGSTOP', 'SIGUSR1', 'SIGPROF']);

/**
 * Refreshes the store when the process receives a signal, for sidecars, cron jobs and operators that announce a rotation with
 * `kill`. The `trigger` in events is the name of the signal: `sighup`. Signals in quick succession share refreshes.
 *
 * Returns a function that stops listening; `close()` of the store stops it too. The signal then regains its default
 * behaviour: SIGHUP ends the process.
 *
 * Windows and worker threads have no signals. There, the call only emits a process warning (`SIGNAL_UNAVAILABLE`); the
 * store still finds rotations by itself.
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
    next: 'The store still finds rotations by itself. To request a refresh, use reloadHandler, or call refresh().',
  });
}
