import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const CHILD = fileURLToPath(new URL('./knocking-writer-child.mjs', import.meta.url));

export interface Swap {
  readonly content: Readonly<Record<string, string>>;
  /** Serial number of the awaited certificate. */
  readonly serial: string;
  readonly port: number;
  /** After this long it counts as not served. */
  readonly boundMs: number;
}

/** The result of a swap. All fields are undefined if the certificate was not served within the bound. */
export interface Served {
  /** From right before the rename to the end of the first handshake with the certificate. */
  readonly ms?: number;
  /** Handshakes until then. */
  readonly knocks?: number;
  /** Monotonic time right before the rename. */
  readonly renamedAt?: bigint;
}

export interface KnockingWriter extends AsyncDisposable {
  readonly pid: number;
  /**
   * Swaps, then opens one new connection after another until the server presents the certificate. Calls `atRename` when
   * the writer reports the rename of `..data`.
   */
  swap(swap: Swap, atRename?: () => void): Promise<Served>;
}

/** Starts a process that writes one mount as the driver does. It is also the client, so that one clock times both. */
export async function startKnockingWriter(
  path: string,
  content: Readonly<Record<string, string>>,
  ca: string,
): Promise<KnockingWriter> {
  const child = fork(CHILD, [], { execArgv: [], serialization: 'advanced' });
  let answer: (served: Served) => void = () => {};
  let renamed = () => {};
  let fail = (_error: Error) => {};
  child.on('message', (message: Served & { readonly renamed?: true }) => {
    if (message.renamed) renamed();
    else answer(message);
  });
  const exited = new Promise<void>((resolve) => {
    child.once('exit', () => {
      fail(new Error('The writer of the mount ended.'));
      resolve();
    });
  });
  const call = (message: object) =>
    new Promise<Served>((resolve, reject) => {
      answer = resolve;
      fail = reject;
      child.send(message);
    });
  await call({ path, content, ca });
  return {
    pid: child.pid as number,
    swap(swap, atRename) {
      renamed = atRename ?? (() => {});
      return call({ ...swap, tell: atRename !== undefined });
    },
    async [Symbol.asyncDispose]() {
      if (child.connected) child.disconnect();
      await exited;
    },
  };
}
