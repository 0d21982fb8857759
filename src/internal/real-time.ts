import { performance } from 'node:perf_hooks';
import { clearTimeout, setImmediate, setTimeout } from 'node:timers';

// Held when the package loads: the fake timers of a test replace clocks and timers, and files do not wait for those.
const start = setTimeout;
const stop = clearTimeout;
const inAnotherTurn = setImmediate;
const wallClock = Date.now;
const monotonic = performance.now.bind(performance);

/** The time of the machine, to compare with timestamps of files. */
export function realDate(): number {
  return wallClock();
}

/** Milliseconds of a clock that only goes forward. */
export function realNow(): number {
  return monotonic();
}

/** Resolves after `ms` of real time, or as soon as `signal` aborts. For short waits on files: it keeps the process alive. */
export function realDelay(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = () => {
      stop(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = start(done, ms);
    signal.addEventListener('abort', done, { once: true });
  });
}

/** Resolves in another turn of the event loop. */
export function realTurn(): Promise<void> {
  return new Promise((resolve) => {
    inAnotherTurn(resolve);
  });
}

/** A timer in real time that does not keep the process alive. Returns the function that cancels it. */
export function realTimer(ms: number, callback: () => void): () => void {
  const timer = start(callback, ms).unref();
  return () => stop(timer);
}
