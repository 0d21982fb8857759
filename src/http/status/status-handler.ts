import { randomBytes } from 'node:crypto';
import { SecretsError } from '../../errors';
import { count, ms, readOptions } from '../../internal/options';
import { assertStore } from '../../store/assert-store';
import { type HttpOptions, httpHandler, httpOptions } from '../http-handler';
import type { Answer, HttpHandler, Received } from '../types';
import { type ObservedStore, observeStore, type StatusStore, statusReport } from './status-report';

/** Durations are milliseconds. */
export interface StatusOptions extends HttpOptions {
  /** How often the page asks for the status, from 250 to one hour. Default: 2 000. */
  readonly refreshMs?: number | undefined;
  /** How many entries the timeline of each store keeps, from 1 to 10 000. Default: 200. */
  readonly timelineSize?: number | undefined;
}

const WHERE = 'statusHandler';

const HEADERS: Readonly<Record<string, string>> = {
  'x-content-type-options': 'nosniff',
  'cross-origin-resource-policy': 'same-origin',
  // The URL may hold a secret.
  'referrer-policy': 'no-referrer',
  vary: 'accept',
};

/**
 * A live page for people that shows the state of every secret, source, pool and server, and recent events. With
 * `Accept: application/json` or `?format=json` the response is the same as JSON (`StatusReport`). Both contain names, paths
 * and versions, never a value. `authorize` decides who may see them: use `basicAuth` to let a browser ask for a password.
 *
 * The timeline starts with this call and ends when its store closes. Pass a list for several stores: the response is 503
 * once all of them are closed.
 *
 * Throws `OPTION_INVALID` (also without `authorize` or a store), `OPTION_UNKNOWN`, `STORE_CLOSED`.
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
  const all = [...new Set([stores].flat())];
  if (all.length === 0) {
    throw new SecretsError('OPTION_INVALID', `${WHERE}: the list of stores is empty`, {
      next: 'Pass a store, or a list of at least one.',
    });
  }
  for (const store of all) assertStore(WHERE, store, ['snapshot', 'report', 'health', 'on']);
  const { authorize, requestTimeoutMs, hosts, refreshMs, timelineSize } = readOptions(WHERE, options, {
    ...httpOptions(WHERE),
    // Timers of browsers end at 2^31 ms.
    refreshMs: ms(2_000, { least: 250, most: 3_600_000 }),
    timelineSize: count(200, { least: 1, most: 10_000 }),
  });
  // Subscribes last, so that a refused call leaves nothing behind.
  const observed: ObservedStore[] = all.map((store) => observeStore(store, timelineSize));

  async function respond({ url, headers }: Received): Promise<Answer> {
    if (!prefersPage(url, headers.get('accept'))) {
      return { status: 200, headers: { ...HEADERS, ...policy() }, body: statusReport(observed) };
    }
    // Two thirds of this module, which a service loads once somebody opens the page.
    const { PAGE } = await import('./page/page.generated');
    const nonce = randomBytes(16).toString('base64');
    return {
      status: 200,
      headers: { ...HEADERS, ...policy(nonce), 'content-type': 'text/html; charset=utf-8' },
      text: PAGE.replaceAll('NONCE', nonce).replace('REFRESH_MS', String(refreshMs)),
    };
  }

  // The endpoint responds while at least one store is open, and reports the others as closed.
  const store = { snapshot: () => (observed.find(({ closed }) => !closed) ?? observed[0])?.store.snapshot() };
  return httpHandler({
    where: WHERE,
    store,
    methods: ['GET', 'HEAD'],
    authorize,
    requestTimeoutMs,
    hosts,
    respond,
  });
}

/** The page loads nothing from elsewhere, and injected scripts cannot run. */
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

/**
 * Decides between the page and JSON: by `format` in the URL, else by the `Accept` header. Clients that accept anything, such
 * as curl, get JSON.
 */
function prefersPage(url: URL, accept: string | null): boolean {
  const format = url.searchParams.get('format');
  if (format !== null) return format === 'html';
  const html = qualityOf('text/html', accept ?? '');
  return html > 0 && html >= qualityOf('application/json', accept ?? '');
}

/** The weight that an `Accept` header gives to a type that it names: 0 to 1. */
function qualityOf(type: string, accept: string): number {
  for (const range of accept.toLowerCase().split(',')) {
    const [name = '', ...parameters] = range.split(';').map((part) => part.trim());
    if (name !== type) continue;
    const quality = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2);
    return quality === undefined ? 1 : Number(quality) || 0;
  }
  return 0;
}
