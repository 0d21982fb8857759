import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const CHILD = fileURLToPath(new URL('./stamping-writer-child.mjs', import.meta.url));

export interface StampingWriter extends AsyncDisposable {
  /** Swaps to `content`; resolves with the monotonic time right before the rename of `..data`. */
  replace(content: Readonly<Record<string, string>>): Promise<bigint>;
}

/** A process that writes one mount as the driver does. Unlike a time taken after the rename, its times come first. */
export function startStampingWriter(path: string): StampingWriter {
  const child = fork(CHILD, [path], { execArgv: [], serialization: 'advanced' });
  return {
    async replace(content) {
      const reply = once(child, 'message');
      child.send(content);
      const [{ renamedAt }] = (await reply) as [{ renamedAt: bigint }];
      return renamedAt;
    },
    async [Symbol.asyncDispose]() {
      const exited = once(child, 'exit');
      child.disconnect();
      await exited;
    },
  };
}
