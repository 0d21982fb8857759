import { refusal } from '../../http/answers';
import { HTTP_OPTIONS, type HttpOptions, httpHandler } from '../../http/http-handler';
import type { Answer, HttpHandler } from '../../http/types';
import { assertNumber, rejectUnknownOptions } from '../../internal/options';
import { unrefTimer } from '../../internal/time';
import type { SecretStore } from '../../store/types';
import { RefreshSoon } from '../refresh-soon';

/** Durations are milliseconds. */
export interface ReloadOptions extends HttpOptions {
  /** Looks begin at least this far apart; requests that come between share the next one. Default: 1 000. */
  readonly minIntervalMs?: number;
  /** How long an answer waits for its look; then it is 202. Default: 10 000. */
  readonly waitMs?: number;
}

/** What `reloadHandler` needs of a store. */
export type ReloadStore<V> = Pick<SecretStore<V>, 'snapshot' | 'refresh' | 'on' | 'health' | 'generation'>;

const WHERE = 'reloadHandler';
/** A flood holds no more than this many sockets open. */
const MOST_WAITING = 100;

/**
 * An endpoint that makes the store look now (`trigger: 'reload'`): for a deployment script, or whatever rotates a secret.
 * `POST` alone, never without authorization, and few looks however many requests.
 *
 * Answers: 200 `{ generation, changed, status }` when the look is done: the names that rotated meanwhile, and the
 * `status` of `health()`; 202 with `pending: true` when it takes longer than `waitMs`; 401 refused by `authorize`; 405;
 * 429 when a hundred requests wait; 503 `authorize` failed, or the store is closed. A body is not read.
 *
 * Throws `OPTION_INVALID` (also without `authorize`), `OPTION_UNKNOWN`.
 *
 * @example
 * ```ts
 * const handler = reloadHandler(secrets, { authorize: querySecret(secrets, 'reloadCode', { header: 'authorization' }) });
 * http.createServer(handler.node);   // also: app.post('/-/reload', handler.node) with Express
 * ```
 */
export function reloadHandler<V>(store: ReloadStore<V>, options: ReloadOptions): HttpHandler {
  rejectUnknownOptions(WHERE, options ?? {}, [...HTTP_OPTIONS, 'minIntervalMs', 'waitMs']);
  const { minIntervalMs = 1_000, waitMs = 10_000 } = options ?? {};
  assertNumber(WHERE, 'minIntervalMs', minIntervalMs);
  assertNumber(WHERE, 'waitMs', waitMs);
  const soon = new RefreshSoon(store, 'reload', { minIntervalMs, spreadMs: 0 });
  let waiting = 0;

  async function respond(): Promise<Answer> {
    if (waiting >= MOST_WAITING) {
      return refusal(429, 'too many requests wait', {
        'retry-after': String(Math.ceil(minIntervalMs / 1000)),
      });
    }
    const changed = new Set<string>();
    const stop = store.on('change', ({ changes }) => {
      for (const { name } of changes) changed.add(name);
    });
    let unsubscribe = () => {};
    // Who waits is not to hold up a server that closes: the answer is 503 then.
    const closed = new Promise<void>((resolve) => {
      unsubscribe = store.on('close', () => resolve());
    });
    waiting += 1;
    const done = await within(Promise.race([soon.request(), closed]), waitMs);
    waiting -= 1;
    unsubscribe();
    stop();
    const { generation } = store;
    const body = { generation, changed: [...changed], status: store.health().status };
    return done ? { status: 200, body } : { status: 202, body: { ...body, pending: true } };
  }

  return httpHandler({ where: WHERE, store, methods: ['POST'], respond }, options ?? {});
}

/** False when it takes longer. */
function within(work: Promise<void>, ms: number): Promise<boolean> {
  return new Promise((resolve) => {
    const cancel = unrefTimer(ms, () => resolve(false));
    work.then(() => resolve(true)).finally(cancel);
  });
}
