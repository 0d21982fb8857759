import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { WriterName } from '../support/atomic-writer.mjs';

const CHILD = fileURLToPath(new URL('./writer-child.mjs', import.meta.url));

export interface WriterJob {
  readonly writer: WriterName;
  readonly root: string;
  /** Written one after the other. */
  readonly contents: readonly Readonly<Record<string, string>>[];
  readonly gapMs?: number;
  /** Sent by the process to itself after `calls` system calls. */
  readonly signal?: 'SIGSTOP' | 'SIGKILL';
  readonly calls?: number;
}

/** A process that writes mounts. It is started again after it was killed. */
export class Writer {
  #child: ChildProcess | undefined;
  #jobs = 0;

  /** Resolves with the longest time between two system calls of one content, in milliseconds; `undefined` if it was killed. */
  async run(job: WriterJob): Promise<number | undefined> {
    const child = this.#running();
    this.#jobs += 1;
    const id = this.#jobs;
    return new Promise((resolve, reject) => {
      const heard = (message: { id: number; result: number; error?: string }) => {
        if (message.id !== id) return;
        settle();
        if (message.error === undefined) resolve(message.result);
        else reject(new Error(`the writer failed with ${message.error}`));
      };
      const exited = () => {
        settle();
        resolve(undefined);
      };
      const settle = () => {
        child.off('message', heard);
        child.off('exit', exited);
      };
      child.on('message', heard);
      child.on('exit', exited);
      child.send({ id, ...job });
    });
  }

  resume(): void {
    this.#child?.kill('SIGCONT');
  }

  async end(): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }

  #running(): ChildProcess {
    if (this.#child === undefined) {
      this.#child = fork(CHILD, [], { execArgv: [] });
      this.#child.setMaxListeners(50);
      this.#child.once('exit', () => {
        this.#child = undefined;
      });
    }
    return this.#child;
  }
}
