import { fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

/** The first message to the process: where to connect, and which authority to trust. Any further message stops it. */
export interface ToClient {
  readonly port: number;
  /** PEM. */
  readonly ca: string;
}

/** A message from the process: the first handshake with a certificate, on the clock that all processes share, or totals. */
export type FromClient = { readonly serial: string; readonly at: bigint } | Totals;

interface Totals {
  /** New connections that were verified and got a response. */
  readonly handshakes: number;
  /** Failed connections, by error code. */
  readonly failures: Readonly<Record<string, number>>;
}

/** A client that opens new connections continuously. */
export interface Client extends AsyncDisposable {
  readonly totals: Totals;
  /** Serial numbers of the certificates that the server presented, with the time of the first completed handshake. */
  readonly seen: ReadonlyMap<string, bigint>;
  /** Resolves when the server first presents a certificate, or after `boundMs`. */
  sees(serial: string, boundMs: number): Promise<void>;
  /** Stops. Resolves when the requests in flight have settled. */
  stop(): Promise<void>;
}

// Longer than the timeout of a request.
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
