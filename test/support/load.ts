/** The result of a load. */
export interface LoadResult {
  readonly done: number;
  readonly failures: readonly unknown[];
}

/** Runs `work` in parallel loops until `stop` is called. Records failures and continues. */
export function startLoad(
  workers: number,
  work: () => Promise<unknown>,
): { stop(): Promise<LoadResult>; readonly done: number } {
  const failures: unknown[] = [];
  let done = 0;
  let running = true;
  const loops = Array.from({ length: workers }, async () => {
    while (running) {
      try {
        await work();
        done += 1;
      } catch (error) {
        failures.push(error);
        // An immediate failure must not block the event loop.
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    }
  });
  return {
    get done() {
      return done;
    },
    async stop() {
      running = false;
      await Promise.all(loops);
      return { done, failures };
    },
  };
}
