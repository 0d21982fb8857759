import { type ChildProcess, spawn } from 'node:child_process';
import type { Socket } from 'node:net';

/** The user that a program runs as: PostgreSQL refuses to run as root. */
export interface RunAs {
  readonly uid: number;
  readonly gid: number;
}

/** A program that keeps no process alive. It ends when `stop` is called or this process ends, for any reason. */
export interface Guarded {
  /** Resolves with the exit status, 1 for a signal. */
  readonly exited: Promise<number>;
  /** Lets the program keep this process alive, until `release`. */
  hold(): void;
  release(): void;
  /** Interrupts the program, kills it if it does not end, and removes the guarded directory. */
  stop(): Promise<void>;
}

// The shell reads from a pipe of this process. The kernel closes the pipe when this process ends, so no handler has to
// run here. Ignoring TERM lets a removal finish once it has begun.
const SCRIPT = `
directory=$1; signal=$2; shift 2
exec 3<&0 </dev/null
"$@" 3<&- &
child=$!
(
  read -r _ <&3
  trap '' TERM
  kill -"$signal" "$child"
  tries=0
  while kill -0 "$child" && [ "$tries" -lt 50 ]; do sleep 0.1; tries=$((tries + 1)); done
  kill -KILL "$child"
  rm -rf "$directory"
) >/dev/null 2>&1 &
guard=$!
exec 3<&-
wait "$child"; status=$?
kill "$guard" 2>/dev/null
wait "$guard" 2>/dev/null
exit "$status"
`;

/**
 * Runs a program that cannot outlive this process, even if this process is killed.
 *
 * @param command program and arguments
 * @param directory removed when the program is stopped or this process ends; kept when the program ends by itself
 * @param onLine called with every line that the program writes to stderr
 * @param signal what makes the program shut down
 */
export function runGuarded(
  command: readonly string[],
  directory: string,
  runAs: RunAs | undefined,
  onLine: (line: string) => void,
  signal: 'INT' | 'TERM' = 'INT',
): Guarded {
  const child = spawn('/bin/sh', ['-c', SCRIPT, 'guard', directory, signal, ...command], {
    ...runAs,
    cwd: '/',
    // In a separate process group, Ctrl+C in a terminal does not reach the program. The pipe ends it instead.
    detached: true,
    env: environment(),
    stdio: ['pipe', 'ignore', 'pipe'],
  });
  readLines(child, onLine);
  const links = [child, child.stdin as Socket, child.stderr as Socket];
  const hold = () => {
    for (const link of links) link.ref();
  };
  const release = () => {
    for (const link of links) link.unref();
  };
  release();
  const exited = new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (status) => {
      child.stdin?.destroy();
      resolve(status ?? 1);
    });
  });
  exited.catch(() => {});
  const stop = async (): Promise<void> => {
    hold();
    child.stdin?.destroy();
    await exited;
  };
  return { exited, hold, release, stop };
}

function readLines(child: ChildProcess, onLine: (line: string) => void): void {
  let rest = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) onLine(line);
  });
  child.stdin?.on('error', () => {});
}

function environment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith('PG'));
  return { ...Object.fromEntries(kept), LC_ALL: 'C' };
}
