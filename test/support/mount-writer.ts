import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** Options of `startMountWriter`. */
export interface MountWriterOptions {
  /** The first content, by alias. */
  readonly content: Readonly<Record<string, string | Uint8Array>>;
  /**
   * Default: `kubernetes`. `plain` rewrites every file in place, each time. `alternating` swaps `..data` between two
   * fixed directories and rewrites the one that is not served; it never removes a file.
   */
  readonly layout?: 'kubernetes' | 'plain' | 'alternating';
  /** With `alternating`: delete the directory before it is written, instead of rewriting its files in place. */
  readonly recreate?: boolean;
  /** The mount directory, removed at the end. Default: a fresh one below the temporary directory. */
  readonly path?: string;
}

/** The values of numbered swaps: each name gets `prefix` and the number of the swap, from 1. */
export interface SwapPattern {
  readonly names: readonly string[];
  /** Default: `value-`. */
  readonly prefix?: string;
  /** Pause between the end of one swap and the next. Default: 0. */
  readonly gapMs?: number;
}

/** A mount that another process writes. It returns `process.hrtime.bigint()` right after the rename of `..data`. */
export interface MountWriter {
  readonly path: string;
  /** Merges values into the content with one swap, even if nothing changes. */
  rotate(values: Readonly<Record<string, string | Uint8Array>>): Promise<bigint>;
  remove(...names: string[]): Promise<bigint>;
  /** Swaps `times` times, each after the previous one. */
  swapTimes(times: number, pattern: SwapPattern): Promise<bigint[]>;
  /** Swaps until `stop` is called, which resolves with the number of swaps: the number of the last content. */
  swapUntilStopped(pattern: SwapPattern): { stop(): Promise<number> };
  /** Ends the process and removes the mount. May be called twice. The process also ends when this one dies. */
  end(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

const CHILD = fileURLToPath(new URL('./mount-writer-child.mjs', import.meta.url));

/**
 * Starts a process that owns a mount and writes it as the Secrets Store CSI driver does. Work in this process does not
 * delay a swap, and a swap does not block this process.
 *
 * @example
 * ```ts
 * await using writer = await startMountWriter({ content: { user: 'a', password: 'a' } });
 * const swappedAt = await writer.rotate({ user: 'b', password: 'b' });
 * ```
 */
export async function startMountWriter(options: MountWriterOptions): Promise<MountWriter> {
  const { call, end } = startChild();
  const { content, path: wanted, layout = 'kubernetes', recreate = false } = options;
  const path = await call<string>('start', { content, path: wanted, layout, recreate });
  return {
    path,
    rotate: (values) => call('rotate', { values }),
    remove: (...names) => call('remove', { names }),
    swapTimes: (times, pattern) => call('swapTimes', { ...defaults, ...pattern, times }),
    swapUntilStopped(pattern) {
      const swaps = call<number>('swapUntilStopped', { ...defaults, ...pattern });
      return {
        async stop() {
          await call('stopSwapping', {});
          return swaps;
        },
      };
    },
    end,
    [Symbol.asyncDispose]: end,
  };
}

const defaults = { prefix: 'value-', gapMs: 0 };

interface Reply {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: string;
}

interface Waiting {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

function startChild() {
  // `advanced` transfers bigint and bytes. Without the flags of this process, no loader slows the start.
  const child = fork(CHILD, [], { execArgv: [], serialization: 'advanced' });
  const waiting = new Map<number, Waiting>();
  let calls = 0;
  const holdWhileWaiting = () => (waiting.size > 0 ? hold(child) : release(child));
  child.on('message', ({ id, result, error }: Reply) => {
    const waiter = waiting.get(id);
    waiting.delete(id);
    holdWhileWaiting();
    if (error === undefined) waiter?.resolve(result);
    else waiter?.reject(new Error(`The mount writer failed: ${error}`));
  });
  child.once('exit', () => {
    for (const { reject } of waiting.values()) reject(new Error('The mount writer ended.'));
    waiting.clear();
  });
  const call = <T>(command: string, options: object): Promise<T> =>
    new Promise<T>((resolve, reject) => {
      if (!child.connected) return reject(new Error('The mount writer ended.'));
      calls += 1;
      waiting.set(calls, { resolve: resolve as (value: unknown) => void, reject });
      holdWhileWaiting();
      child.send({ id: calls, command, ...options });
    });
  const end = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    hold(child);
    const exited = once(child, 'exit');
    if (child.connected) child.send({ command: 'end' });
    await exited;
  };
  return { call, end };
}

function hold(child: ChildProcess): void {
  child.ref();
  child.channel?.ref();
}

function release(child: ChildProcess): void {
  child.unref();
  child.channel?.unref();
}
