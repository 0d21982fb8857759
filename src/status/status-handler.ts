import { randomBytes } from 'node:crypto';
import { SecretsError } from '../errors';
import { HTTP_OPTIONS, type HttpOptions, httpHandler } from '../http/http-handler';
import type { Answer, HttpHandler, Received } from '../http/types';
import { rejectUnknownOptions } from '../internal/options';
import { renderPage } from './page/document';
import { prefersPage } from './prefers-page';
import { type StatusStore, statusReport, type WatchedStore, watchStore } from './status-report';

/** Durations are milliseconds. */
export interface StatusOptions extends HttpOptions {
  /** How often the page looks, from 250 to an hour. Default: 2 000. */
  readonly refreshMs?: number;
  /** How many entries the timeline of each store keeps, from 1 to 10 000. Default: 200. */
  readonly timelineSize?: number;
}

const WHERE = 'statusHandler';

const HEADERS: Readonly<Record<string, string>> = {
  'x-content-type-options': 'nosniff',
  'cross-origin-resource-policy': 'same-origin',
  // The url may hold a secret.
  'referrer-policy': 'no-referrer',
  vary: 'accept',
};

/**
 * A page for people that shows, live, what every secret, source, pool and server does, and what happened lately; and the
 * same as JSON (`StatusReport`) for `Accept: application/json` or `?format=json`. Names, paths and versions, never a value;
 * who may see that is for `authorize` to say: `basicAuth` where a browser is to ask for it.
 *
 * The timeline begins with this call, and ends when its store closes. Of several stores, give a list: the answer is 503 once
 * all of them are closed.
 *
 * Throws `OPTION_INVALID` (also without `authorize`), `OPTION_UNKNOWN`, `STORE_CLOSED`.
 *
 * @example
 * ```ts
 * const page = statusHandler(secrets, { authorize: basicAuth(secrets, 'statusPassword') });
 * http.createServer(page.node);   // also: app.get('/-/status', page.node) with Express
 * ```
 */
export function statusHandler(
  stores: StatusStore | readonly StatusStore[],
  options: StatusOptions,
): HttpHandler {
  rejectUnknownOptions(WHERE, options ?? {}, [...HTTP_OPTIONS, 'refreshMs', 'timelineSize']);
  const { refreshMs = 2_000, timelineSize = 200 } = options ?? {};
  assertWithin('refreshMs', refreshMs, 250, 3_600_000);
  assertWithin('timelineSize', timelineSize, 1, 10_000);
  const watched: WatchedStore[] = [];

  function respond({ url, headers }: Received): Answer {
    if (!prefersPage(url, headers.get('accept'))) {
      return { status: 200, headers: { ...HEADERS, ...policy() }, body: statusReport(watched) };
    }
    const nonce = randomBytes(16).toString('base64');
    return {
      status: 200,
      headers: { ...HEADERS, ...policy(nonce), 'content-type': 'text/html; charset=utf-8' },
      text: renderPage({ nonce, refreshMs }),
    };
  }

  // For as long as one is open there is something to tell; the others are told to be closed.
  const store = { snapshot: () => (watched.find(({ closed }) => !closed) ?? watched[0])?.store.snapshot() };
  const handler = httpHandler({ where: WHERE, store, methods: ['GET', 'HEAD'], respond }, options ?? {});
  // Last: what is refused at start-up has subscribed to nothing.
  for (const one of new Set([stores].flat())) watched.push(watchStore(one, timelineSize));
  if (watched.length > 0) return handler;
  throw new SecretsError('OPTION_INVALID', `${WHERE} was given no store`);
}

/** Nothing is loaded from anywhere, and nothing that gets into the page can run. */
function policy(nonce?: string): Readonly<Record<string, string>> {
  const page = [
    `script-src 'nonce-${nonce}'`,
    `style-src 'nonce-${nonce}'`,
    "connect-src 'self'",
    'img-src data:',
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ];
  const directives = [
    "default-src 'none'",
    ...(nonce === undefined ? [] : page),
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ];
  return { 'content-security-policy': directives.join('; ') };
}

/** Unlike `assertNumber`, with an upper bound: browsers have no endless timers, and memory has an end. */
function assertWithin(option: string, value: unknown, least: number, most: number): void {
  if (Number.isInteger(value) && (value as number) >= least && (value as number) <= most) return;
  throw new SecretsError(
    'OPTION_INVALID',
    `${option} of ${WHERE} is not a whole number from ${least} to ${most}`,
  );
}
