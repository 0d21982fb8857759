import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

// Before this process is pinned itself: afterwards there is one.
const allowed = allowedCores();

/**
 * Gives the main threads of two processes a core each, and tells whether that could be done. Left to the scheduler they
 * share one at times, and then it is the wait for the other process that is measured, by either side at random.
 */
export function pinApart(one: number, other: number): boolean {
  try {
    const [first, last] = [/^\d+/.exec(allowed)?.[0], /\d+$/.exec(allowed)?.[0]];
    if (first === undefined || last === undefined || first === last) return false;
    for (const [core, pid] of [
      [first, one],
      [last, other],
    ] as const) {
      // The main thread alone: its helpers, the collector's among them, must not have to wait for it.
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
