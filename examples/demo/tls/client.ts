import { fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

/** What the process is told once: where to connect, and whom to trust. Any further message says stop. */
export interface ToClient {
  readonly port: number;
  /** PEM. */
  readonly ca: string;
}

/** What it tells: that it saw a certificate for the first time, on the clock that all processes share, or its counts. */
export type FromClient = { readonly serial: string; readonly at: bigint } | Totals;

interface Totals {
  /** New connections that were verified and answered. */
  readonly handshakes: number;
  /** The others, by the code of their error. */
  readonly failures: Readonly<Record<string, number>>;
}

/** Somebody who opens new connections without pause. */
export interface Client extends AsyncDisposable {
  readonly totals: Totals;
  /** Serial numbers of the certificates that were shown, with the time of the first handshake that was complete. */
  readonly seen: ReadonlyMap<string, bigint>;
  /** Resolves when a certificate is first shown, or after `boundMs`. */
  sees(serial: string, boundMs: number): Promise<void>;
  /** Resolves when what was under way has settled. */
  stop(): Promise<void>;
}

// Longer than a request may take.
const STOP_BOUND_MS = 10_000;
const PROCESS = fileURLToPath(new URL('./client-process.ts', import.meta.url));

export async function startClient(target: ToClient): Promise<Client> {
  const child = fork(PROCESS, { serialization: 'advanced' });
  const seen = new Map<string, bigint>();
  let totals: Totals = { handshakes: 0, failures: {} };
  let changed = () => {};
  child.on('message', (message: FromClient) => {
    if ('serial' in message) seen.set(message.serial, message.at);
    else totals = message;
    changed();
  });
  const exited = once(child, 'exit');
  child.send(target);
  const stop = async () => {
    if (child.connected) child.send('stop');
    const late = setTimeout(() => child.kill('SIGKILL'), STOP_BOUND_MS);
    await exited;
    clearTimeout(late);
  };
  return {
    get totals() {
      return totals;
    },
    seen,
    async sees(serial, boundMs) {
      const waiting = new AbortController();
      const bound = sleep(boundMs, undefined, { signal: waiting.signal }).catch(() => {});
      const shown = new Promise<void>((resolve) => {
        changed = () => seen.has(serial) && resolve();
        changed();
      });
      await Promise.race([shown, bound]);
      waiting.abort();
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}
