import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { within } from './within';

const CHILD = fileURLToPath(new URL('./handshake-load-child.mjs', import.meta.url));
// Longer than the timeout of a request.
const STOP_BOUND_MS = 10_000;

/** `ca`: clients for TLS 1.2 and 1.3 without a certificate. `clientMount`: `createAgent` with the pair in that mount. */
export type LoadTarget = { readonly port: number } & (
  | { readonly ca: string }
  | { readonly clientMount: string }
);

export interface LoadTotals {
  /** New connections whose request got a response. */
  readonly handshakes: number;
  /** Failed connections, by error code. */
  readonly failures: Readonly<Record<string, number>>;
}

export interface HandshakeLoad extends AsyncDisposable {
  /** Resolves when a server has presented the certificate with this serial number, or with undefined after `boundMs`. */
  shows(serial: string, boundMs: number): Promise<true | undefined>;
  stop(): Promise<LoadTotals>;
}

/** Starts a process that opens new connections continuously. */
export function startHandshakeLoad(target: LoadTarget): HandshakeLoad {
  const child = fork(CHILD, [], { execArgv: [] });
  const seen = new Set<string>();
  let totals: LoadTotals | undefined;
  let changed = () => {};
  child.on('message', (message: { readonly serial: string } | LoadTotals) => {
    if ('serial' in message) seen.add(message.serial);
    else totals = message;
    changed();
  });
  const exited = new Promise<true>((resolve) => {
    child.once('exit', () => resolve(true));
  });
  child.send(target);
  const end = async () => {
    if (child.connected) child.send('stop');
    if ((await within(exited, STOP_BOUND_MS)) === undefined) child.kill('SIGKILL');
  };
  return {
    shows(serial, boundMs) {
      const shown = new Promise<true>((resolve) => {
        changed = () => seen.has(serial) && resolve(true);
        changed();
      });
      return within(shown, boundMs);
    },
    async stop() {
      await end();
      if (totals === undefined) throw new Error('The process that opens connections ended without a result.');
      return totals;
    },
    [Symbol.asyncDispose]: end,
  };
}
