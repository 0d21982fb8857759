import { builtin } from './builtins';

// Held when the package loads: the fake timers of a test replace clocks and timers, and files do not wait for those.
const { clearTimeout: stop, setImmediate, setTimeout: start } = builtin('timers');
const { performance } = builtin('perf_hooks');
const wallClock = Date.now;
const monotonic = performance.now.bind(performance);

/** Runs a callback in another turn of the event loop. */
export const inAnotherTurn = setImmediate;

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

/** Work on many values gives the event loop a turn after this time, in milliseconds. */
const SLICE_MS = 8;

/**
 * Returns a function to call between the steps of long work. Once `SLICE_MS` have passed since the last turn, it returns a
 * promise that resolves in another turn of the event loop.
 */
export function slices(): () => Promise<void> | undefined {
  let startedAt = realNow();
  return () => {
    if (realNow() - startedAt < SLICE_MS) return undefined;
    return realTurn().then(() => {
      startedAt = realNow();
    });
  };
}

/** Steps of work on more values than this take a turn of the event loop each. */
const MANY = 250;

/** Resolves in another turn of the event loop if the next step works on many values; `undefined` if it does not. */
export function turnIfMany(values: number): Promise<void> | undefined {
  return values > MANY ? realTurn() : undefined;
}
