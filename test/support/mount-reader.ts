import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { otherUser } from './as-other-user';
import { childFile } from './child-file';
import { waitFor } from './wait-for';

/** What a reader said: an event of its store. */
export interface Said {
  readonly open?: true;
  readonly name?: string;
  readonly value?: string;
  readonly trigger?: string;
  readonly error?: string;
  readonly recovered?: string;
  readonly health?: string;
}

/** A process of another user that reads a mount. */
export interface MountReader {
  readonly said: readonly Said[];
  readonly child: ChildProcess;
  /** Waits until the store of the process serves a value. */
  serves(name: string, value: string): Promise<Said>;
  /** Closes its store, and resolves with its exit code. */
  end(): Promise<number | null>;
}

const CHILD = fileURLToPath(new URL('./mount-reader-child.ts', import.meta.url));

/** Starts a process without privileges that opens a store on `path`, so that file permissions apply to all that it does. */
export async function startMountReader(
  path: string,
  names: readonly string[],
  pollIntervalMs?: number,
): Promise<MountReader> {
  const user = process.geteuid?.() === 0 ? { uid: otherUser, gid: otherUser } : {};
  const args = [path, names.join(','), ...(pollIntervalMs === undefined ? [] : [String(pollIntervalMs)])];
  const child = fork(childFile(CHILD), args, { execArgv: [], ...user });
  const said: Said[] = [];
  child.on('message', (message: Said) => said.push(message));
  const exited = once(child, 'exit');
  await waitFor(() => said.some(({ open }) => open) || child.exitCode !== null, { timeoutMs: 30_000 });
  return {
    said,
    child,
    async serves(name, value) {
      const find = () => said.find((one) => one.name === name && one.value === value);
      return (await waitFor(find, { what: `${name} ${value}` })) as Said;
    },
    async end() {
      if (child.connected) child.send('end');
      const [code] = await exited;
      return code;
    },
  };
}
