/** A request to look: why, at which sources, and whether `unchanged` answers are not welcome. */
export interface LookRequest {
  readonly trigger: string;
  readonly sources: ReadonlySet<number>;
  readonly force: boolean;
}

/**
 * Runs one at a time. Requests that come while one runs are merged into the next, and settle with it: a look
 * that began before a request may have read what the request is about too early.
 */
export function coalesce(
  run: (request: LookRequest) => Promise<void>,
): (request: LookRequest) => Promise<void> {
  let running: Promise<void> | undefined;
  let next: { request: LookRequest; done: Promise<void> } | undefined;

  function start(request: LookRequest): Promise<void> {
    running = run(request).finally(() => {
      running = undefined;
    });
    return running;
  }

  return (request) => {
    if (next !== undefined) {
      next.request = merge(next.request, request);
      return next.done;
    }
    if (running === undefined) return start(request);
    const queued: { request: LookRequest; done: Promise<void> } = { request, done: Promise.resolve() };
    queued.done = running
      .catch(() => {})
      .then(() => {
        next = undefined;
        return start(queued.request);
      });
    next = queued;
    return queued.done;
  };
}

function merge(a: LookRequest, b: LookRequest): LookRequest {
  return {
    // A poll says the least about why something changed.
    trigger: a.trigger === 'poll' ? b.trigger : a.trigger,
    sources: new Set([...a.sources, ...b.sources]),
    force: a.force || b.force,
  };
}
