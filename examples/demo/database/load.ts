import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from '../clock';
import type { Service } from './service';

/** One request of the service. Once it has settled, `ms` is the time that it took. */
export interface Request {
  readonly at: number;
  ms?: number;
  failed?: boolean;
}

export interface Load {
  readonly requests: readonly Request[];
  /** Stops sending requests, and waits at most `boundMs` for those in flight. */
  stop(boundMs: number): Promise<void>;
}

export const WORKERS = 50;
export const POOL_SIZE = 20;
// A worker gives up on a request after this long and sends its next one. The request is still measured when it settles,
// and counts as hung if it never does. Otherwise each hung request would block a worker and reduce the load.
const PATIENCE_MS = 500;
// A failed request takes as long as a query. Otherwise workers that fail fast would send more requests than others.
const PAUSE_AFTER_FAILURE_MS = 20;
// Connections end for many reasons (lifetimes, proxies, errors), and each replacement needs a new login.
const CLOSE_CONNECTION_EVERY_MS = 1_000;

/** Starts 50 workers. Each sends one query after another through the service. */
export function startLoad({ query }: Service, clock: Clock): Load {
  const requests: Request[] = [];
  const pending = new Set<Promise<void>>();
  let running = true;
  let closeOne = false;
  const churn = setInterval(() => {
    closeOne = true;
  }, CLOSE_CONNECTION_EVERY_MS);

  const send = async (): Promise<void> => {
    const request: Request = { at: clock.now() };
    requests.push(request);
    const close = closeOne;
    closeOne = false;
    try {
      await query(close);
    } catch {
      request.failed = true;
    }
    request.ms = clock.now() - request.at;
    if (request.failed) await sleep(PAUSE_AFTER_FAILURE_MS);
  };
  const work = async (): Promise<void> => {
    while (running) {
      const sent = send().finally(() => pending.delete(sent));
      pending.add(sent);
      await withPatience(sent, PATIENCE_MS);
    }
  };
  const workers = Array.from({ length: WORKERS }, work);
  return {
    requests,
    async stop(boundMs) {
      running = false;
      clearInterval(churn);
      await Promise.all(workers);
      await withPatience(Promise.all(pending), boundMs);
    },
  };
}

async function withPatience(work: Promise<unknown>, ms: number): Promise<void> {
  const waiting = new AbortController();
  const patience = sleep(ms, undefined, { signal: waiting.signal }).catch(() => {});
  await Promise.race([work, patience]);
  waiting.abort();
}
