import { ms, readOptions } from '../internal/options';
import { unrefTimer } from '../internal/time';
import { assertStore } from '../store/assert-store';
import { RefreshSoon } from '../store/refresh-soon';
import type { SecretStore } from '../store/types';
import { refusal } from './body';
import { type HttpOptions, httpHandler, httpOptions } from './http-handler';
import type { Answer, HttpHandler } from './types';

/** Durations are milliseconds. */
export interface ReloadOptions extends HttpOptions {
  /** The minimum time between the starts of two refreshes. Requests in between share the next refresh. Default: 1 000. */
  readonly minIntervalMs?: number | undefined;
  /** How long a response waits for its refresh; then it is 202. Default: 10 000. */
  readonly waitMs?: number | undefined;
}

const WHERE = 'reloadHandler';

/** Bounds the sockets that a flood of requests can hold open. */
const MAX_WAITING = 100;

/**
 * An endpoint that refreshes the store (`trigger: 'reload'`). Call it from a deployment script, or from the job that rotates
 * a secret. It accepts `POST` only, always asks `authorize`, and turns any number of requests into few refreshes.
 *
 * Responses: 200 `{ generation, changed, status }` when the refresh has ended, with the names that rotated meanwhile and the
 * `status` of `health()`; 202 with `pending: true` when the refresh takes longer than `waitMs`; 401 refused by `authorize`;
 * 403 from a page of another site, or for a host that `hosts` lacks; 405; 429 while a hundred requests wait; 503 `authorize` failed, or the store is closed. A body is never read.
 *
 * Throws `OPTION_INVALID` (also without `authorize` or a store), `OPTION_UNKNOWN`.
 *
 * @example
 * ```ts
 * const handler = reloadHandler(secrets, { authorize: querySecret(secrets, 'reloadCode', { header: 'authorization' }) });
 * http.createServer(handler.node);   // also: app.post('/-/reload', handler.node) with Express
 * ```
 */
export function reloadHandler(
  store: Pick<SecretStore<unknown>, 'snapshot' | 'refresh' | 'on' | 'health' | 'generation'>,
  options: ReloadOptions,
): HttpHandler {
  assertStore(WHERE, store, ['snapshot', 'refresh', 'on', 'health']);
  const { authorize, requestTimeoutMs, hosts, minIntervalMs, waitMs } = readOptions(WHERE, options, {
    ...httpOptions(WHERE),
    minIntervalMs: ms(1_000),
    waitMs: ms(10_000),
  });
  const soon = new RefreshSoon(store, 'reload', { minIntervalMs, spreadMs: 0 });
  let waiting = 0;

  async function respond(): Promise<Answer> {
    if (waiting >= MAX_WAITING) {
      const retryAfter = String(Math.ceil(minIntervalMs / 1000));
      return refusal(429, 'too many requests wait', { 'retry-after': retryAfter });
    }
    const changed = new Set<string>();
    const stopChange = store.on('change', ({ changes }) => {
      for (const { name } of changes) changed.add(name);
    });
    let stopClose = () => {};
    // A waiting request must not delay a server that closes: its response becomes 503.
    const closed = new Promise<void>((resolve) => {
      stopClose = store.on('close', () => resolve());
    });
    waiting += 1;
    const hasEnded = await within(Promise.race([soon.request(), closed]), waitMs);
    waiting -= 1;
    stopClose();
    stopChange();
    const { generation } = store;
    const body = { generation, changed: [...changed], status: store.health().status };
    return hasEnded ? { status: 200, body } : { status: 202, body: { ...body, pending: true } };
  }

  return httpHandler({ where: WHERE, store, methods: ['POST'], authorize, requestTimeoutMs, hosts, respond });
}

/** Resolves with false when the work takes longer. */
function within(work: Promise<void>, limitMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const cancel = unrefTimer(limitMs, () => resolve(false));
    work.then(() => resolve(true)).finally(cancel);
  });
}
