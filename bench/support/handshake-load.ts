import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { within } from './within';

const CHILD = fileURLToPath(new URL('./handshake-load-child.mjs', import.meta.url));
// Longer than one of its requests may take.
const STOP_BOUND_MS = 10_000;

/** `ca`: TLS 1.2 and 1.3, without a certificate of its own. `clientMount`: a `createAgent` with the pair in that mount. */
export type LoadTarget = { readonly port: number } & (
  | { readonly ca: string }
  | { readonly clientMount: string }
);

export interface LoadTotals {
  /** New connections whose request was answered. */
  readonly handshakes: number;
  /** The others, by the code of their error. */
  readonly failures: Readonly<Record<string, number>>;
}

export interface HandshakeLoad extends AsyncDisposable {
  /** Resolves when a server certificate with this serial number was shown; with undefined when it was not in time. */
  shows(serial: string, boundMs: number): Promise<true | undefined>;
  stop(): Promise<LoadTotals>;
}

/** A process that opens new connections without pause. */
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
