import { readFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';

const BOOKED_AFTER_MS = 1;

/** Milliseconds that the processor works for this process while `run` runs, on all of its threads. */
export async function processorTimed(run: () => unknown): Promise<number> {
  const before = process.cpuUsage();
  await run();
  return processorMsSince(before);
}

/** Milliseconds that the processor has worked for this process since an earlier `process.cpuUsage()`. */
export function processorMsSince(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

/**
 * Milliseconds for which the main thread of a process has run so far, see proc(5). They exclude waiting for a core. The
 * process should be idle, because the kernel updates a thread's time when the thread stops running.
 */
export async function processorMs(pid: number): Promise<number> {
  await setTimeout(BOOKED_AFTER_MS);
  const [nanoseconds] = readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ');
  return Number(nanoseconds) / 1e6;
}
