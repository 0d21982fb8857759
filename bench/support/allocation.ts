import { GCProfiler } from 'node:v8';
import { collect } from './process-state';

const ROUNDS = 5;

/**
 * Bytes of heap that one call allocates, including garbage. A short run is subtracted as the cost of measuring. The
 * smallest of several rounds counts: allocations of a call appear in every round, other allocations of the process only
 * in some.
 */
export function allocatedPerCall(run: (calls: number) => unknown, calls: number): number {
  const few = calls / 100;
  allocatedBytes(() => run(few));
  const floor = allocatedBytes(() => run(few));
  const rounds = Array.from({ length: ROUNDS }, () => allocatedBytes(() => run(calls)));
  return (Math.min(...rounds) - floor) / (calls - few);
}

/** The growth of the heap plus the bytes that collections freed during the run. */
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
