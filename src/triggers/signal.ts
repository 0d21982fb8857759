import { constants } from 'node:os';
import { isMainThread } from 'node:worker_threads';
import { SecretsError } from '../errors';
import { assertNumber, rejectUnknownOptions } from '../internal/options';
import { warn } from '../internal/warnings';
import type { SecretStore } from '../store/types';
import { RefreshSoon } from './refresh-soon';

/** Durations are milliseconds. */
export interface SignalOptions {
  /** Looks begin at least this far apart; the first is not put off. Default: 1 000. */
  readonly minIntervalMs?: number;
}

const WHERE = 'reloadOnSignal';

/** Signals that Node keeps to itself, or that nobody can listen to. */
const RESERVED: ReadonlySet<string> = new Set(['SIGKILL', 'SIGSTOP', 'SIGUSR1', 'SIGPROF']);

/**
 * Looks when the process gets a signal (`trigger`: its name, `sighup`): how a sidecar, a cron job or a person with `kill`
 * says that something rotated. Any number of signals become few looks. Returns what stops it; `close()` of the store
 * does too, and from then on the signal does again what it does by default, which for SIGHUP is to end the process.
 *
 * On Windows, where no other process can send a signal, and in worker threads, which get none, it is a process warning
 * (`SIGNAL_UNAVAILABLE`) and does nothing: the store goes on to find rotations by itself.
 *
 * Throws `OPTION_INVALID` for what is no signal, or one that cannot be listened to; `OPTION_UNKNOWN`, `STORE_CLOSED`.
 *
 * @example
 * ```ts
 * reloadOnSignal(secrets, 'SIGHUP'); // kill -HUP 1
 * ```
 */
export function reloadOnSignal<V>(
  store: Pick<SecretStore<V>, 'snapshot' | 'refresh' | 'on'>,
  signal: NodeJS.Signals = 'SIGHUP',
  options: SignalOptions = {},
): () => void {
  rejectUnknownOptions(WHERE, options, ['minIntervalMs']);
  const { minIntervalMs = 1_000 } = options;
  assertNumber(WHERE, 'minIntervalMs', minIntervalMs);
  assertSignal(signal);
  const soon = new RefreshSoon(store, signal.toLowerCase(), { minIntervalMs, spreadMs: 0 });
  const unavailable = whereThereAreNone();
  if (unavailable !== undefined) {
    warn(noSignals(signal, unavailable));
    return () => {};
  }
  const requested = () => void soon.request();
  const stop = () => void process.off(signal, requested);
  const unsubscribe = store.on('close', stop);
  process.on(signal, requested);
  return () => {
    unsubscribe();
    stop();
  };
}

function assertSignal(signal: unknown): void {
  const known = typeof signal === 'string' && (signal in constants.signals || signal === 'SIGBREAK');
  if (known && !RESERVED.has(signal)) return;
  const what = typeof signal === 'string' && /^\w{1,20}$/.test(signal) ? signal : 'what was given';
  throw new SecretsError('OPTION_INVALID', `${WHERE} cannot listen to ${what}`, {
    next: 'Give SIGHUP or SIGUSR2; SIGUSR1 starts the debugger of Node, SIGKILL and SIGSTOP reach nobody.',
  });
}

function whereThereAreNone(): string | undefined {
  if (process.platform === 'win32') return 'on Windows';
  return isMainThread ? undefined : 'in a worker thread';
}

function noSignals(signal: string, where: string): SecretsError {
  return new SecretsError('SIGNAL_UNAVAILABLE', `${signal} does not exist ${where}: ${WHERE} does nothing`, {
    next: 'Rotations are found all the same; to say "look now", use reloadHandler, or refresh() in the main thread.',
  });
}
