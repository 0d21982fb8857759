import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

// Read before this process is pinned: afterwards it may use one core only.
const allowed = allowedCores();

/**
 * Pins the main threads of two processes to separate cores. Returns whether that succeeded. Otherwise the scheduler
 * sometimes lets them share a core, and either side at random measures its wait for the other process.
 */
export function pinApart(one: number, other: number): boolean {
  try {
    const [first, last] = [/^\d+/.exec(allowed)?.[0], /\d+$/.exec(allowed)?.[0]];
    if (first === undefined || last === undefined || first === last) return false;
    for (const [core, pid] of [
      [first, one],
      [last, other],
    ] as const) {
      // Only the main thread: helper threads, such as those of the garbage collector, must not wait for it.
      execFileSync('taskset', ['-cp', core, String(pid)], { stdio: 'ignore' });
    }
    return true;
  } catch {
    return false;
  }
}

function allowedCores(): string {
  try {
    return /^Cpus_allowed_list:\s*(.+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '';
  } catch {
    return '';
  }
}
