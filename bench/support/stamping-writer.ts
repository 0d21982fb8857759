import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const CHILD = fileURLToPath(new URL('./stamping-writer-child.mjs', import.meta.url));

export interface StampingWriter extends AsyncDisposable {
  readonly pid: number;
  /** Swaps to `content`; resolves with the monotonic time right before the rename of `..data`. */
  replace(content: Readonly<Record<string, string>>): Promise<bigint>;
}

/** Starts a process that writes one mount as the driver does. It takes the time of a swap right before the rename. */
export function startStampingWriter(path: string): StampingWriter {
  const child = fork(CHILD, [path], { execArgv: [], serialization: 'advanced' });
  // Without this, a caller would wait forever for the answer of a process that has ended.
  const ended = once(child, 'exit').then((): never => {
    throw new Error('The writer of the mount ended.');
  });
  ended.catch(() => {});
  return {
    pid: child.pid as number,
    async replace(content) {
      const reply = once(child, 'message') as Promise<[{ renamedAt: bigint }]>;
      child.send(content);
      const [{ renamedAt }] = await Promise.race([reply, ended]);
      return renamedAt;
    },
    async [Symbol.asyncDispose]() {
      if (child.connected) child.disconnect();
      await ended.catch(() => {});
    },
  };
}
