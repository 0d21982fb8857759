import { type ChildProcess, type SpawnOptions, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Said } from './observed-store';
import type { MountPlan } from './plan';
import type { Mood } from './slow-source';

export interface HolderConfig {
  readonly plans: readonly MountPlan[];
  /** The process has a limit of watches of its own, which it may change. */
  readonly ownLimits: boolean;
}

/** What the process with the stores does when it is told to. */
export type HolderCall =
  | {
      readonly call: 'serves';
      readonly generations: Readonly<Record<string, number>>;
      readonly healthy: boolean;
      readonly boundMs: number;
    }
  | { readonly call: 'stall' | 'clock'; readonly ms: number }
  | { readonly call: 'takeDescriptors' | 'giveDescriptors' | 'takeWatches' | 'giveWatches' }
  | { readonly call: 'badListeners' | 'goodListeners' | 'reopen' | 'end' }
  | { readonly call: 'mood'; readonly mood: Mood }
  | { readonly call: 'refresh'; readonly times: number }
  | { readonly call: 'openAnother'; readonly path: string };

/** The user of the process with the stores, if this process runs as root. No file is theirs. */
export const HOLDER_USER = 61_234;
/** The limit of open files of the process with the stores. */
const MAX_FILES = 400;
const CHILD = fileURLToPath(new URL('./holder-child.ts', import.meta.url));

/** The process that holds the stores. Permissions apply to it. */
export class Holder {
  readonly child: ChildProcess;
  /** Whether the limit of watches is a real one. */
  readonly hasOwnLimits: boolean;
  readonly #waiting = new Map<number, { resolve(result: unknown): void; reject(error: Error): void }>();
  #calls = 0;

  private constructor(plans: readonly MountPlan[], temporary: string, said: (said: Said) => void) {
    const isOther = isOtherUser();
    this.hasOwnLimits = isOther && canHaveOwnLimits();
    const config: HolderConfig = { plans, ownLimits: this.hasOwnLimits };
    const script = `ulimit -n ${MAX_FILES}; exec "$@"`;
    const command = [
      'sh',
      '-c',
      script,
      'sh',
      process.execPath,
      '--import',
      'tsx',
      CHILD,
      JSON.stringify(config),
    ];
    const [first, ...more] = this.hasOwnLimits
      ? ['unshare', '--user', '--map-root-user', ...command]
      : command;
    this.child = spawn(first as string, more, {
      ...(isOther && asUser),
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      env: { ...process.env, TMPDIR: temporary },
    });
    this.child.on('message', (message: { said?: Said; id: number; result?: unknown; error?: string }) => {
      if (message.said !== undefined) return said(message.said);
      const { id, result, error } = message;
      const waiter = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error === undefined) waiter?.resolve(result);
      else waiter?.reject(new Error(error));
    });
    this.child.once('exit', (code, signal) => {
      const error = new Error(`the process with the stores ended (${signal ?? code})`);
      for (const { reject } of this.#waiting.values()) reject(error);
      this.#waiting.clear();
    });
  }

  /** Starts the process, and waits until its stores are open. */
  static async start(
    plans: readonly MountPlan[],
    temporary: string,
    said: (said: Said) => void,
  ): Promise<Holder> {
    const holder = new Holder(plans, temporary, said);
    await new Promise((resolve, reject) => holder.#waiting.set(0, { resolve, reject }));
    return holder;
  }

  call<T = void>(call: HolderCall): Promise<T> {
    this.#calls += 1;
    const id = this.#calls;
    return new Promise<T>((resolve, reject) => {
      if (!this.child.connected) return reject(new Error('the process with the stores ended'));
      this.#waiting.set(id, { resolve: resolve as (result: unknown) => void, reject });
      this.child.send({ id, ...call });
    });
  }

  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.child.kill(signal);
  }

  /** Closes the stores. Resolves with the exit code, which is null if nothing but a signal ended the process. */
  async end(): Promise<number | null> {
    const exited = once(this.child, 'exit');
    const timer = setTimeout(() => this.child.kill('SIGKILL'), 10_000);
    await this.call({ call: 'end' }).catch(() => {});
    const [code] = await exited;
    clearTimeout(timer);
    return code;
  }
}

const asUser: SpawnOptions = { uid: HOLDER_USER, gid: HOLDER_USER };

/** Whether the process with the stores has a user of its own: this one is root, and may start it as another user. */
export function isOtherUser(): boolean {
  if (process.geteuid?.() !== 0) return false;
  return spawnSync('true', { ...(asUser as object), stdio: 'ignore' }).status === 0;
}

/** In a user namespace of its own, a process may set its own limit of watches. */
function canHaveOwnLimits(): boolean {
  const script = 'echo 5000 > /proc/sys/user/max_inotify_watches';
  const { status } = spawnSync('unshare', ['--user', '--map-root-user', 'sh', '-c', script], {
    ...(asUser as object),
    stdio: 'ignore',
  });
  return status === 0;
}
