import { GCProfiler } from 'node:v8';
import { collect } from './process-state';

const ROUNDS = 5;

/**
 * Bytes of heap that one call allocates, whether or not they live. A run of few calls is taken off: it costs what
 * the measuring itself does. The least of some rounds counts: what a call allocates shows in each of them, what the
 * process does beside it in some.
 */
export function allocatedPerCall(run: (calls: number) => unknown, calls: number): number {
  const few = calls / 100;
  allocatedBytes(() => run(few));
  const floor = allocatedBytes(() => run(few));
  const rounds = Array.from({ length: ROUNDS }, () => allocatedBytes(() => run(calls)));
  return (Math.min(...rounds) - floor) / (calls - few);
}

/** The growth of the heap, and what each collection meanwhile took away again. */
function allocatedBytes(run: () => unknown): number {
  const profiler = new GCProfiler();
  collect();
  profiler.start();
  const before = process.memoryUsage().heapUsed;
  run();
  const growth = process.memoryUsage().heapUsed - before;
  const collected = profiler
    .stop()
    .statistics.map(
      ({ beforeGC, afterGC }) => beforeGC.heapStatistics.usedHeapSize - afterGC.heapStatistics.usedHeapSize,
    );
  return collected.reduce((sum, bytes) => sum + bytes, growth);
}
