import { isSecretsError, SecretsError } from '../errors';
import { describeError } from '../internal/describe-error';
import { assertNumber } from '../internal/options';
import { SayOnce } from '../internal/warnings';
import { admission } from './admission';
import { refusal } from './answers';
import { readJson } from './json-body';
import { fromNode, toNode } from './node-form';
import type { Answer, Authorize, HttpHandler, Incoming, Received } from './types';
import { fromWeb, toWeb } from './web-form';

/** What every endpoint that asks who may pass can be told. Durations are milliseconds. */
export interface HttpOptions {
  /** Who may pass. There is no endpoint without it. */
  readonly authorize: Authorize;
  /** Bound of `authorize` (then 503), and of reading the body (then 408). Default: 10 000. */
  readonly requestTimeoutMs?: number;
}

/** What an endpoint that reads a body can be told beside. */
export interface HttpBodyOptions extends HttpOptions {
  /** A larger body is refused with 413. Default: 1 MiB. */
  readonly maxBodyBytes?: number;
}

export const HTTP_OPTIONS: readonly string[] = ['authorize', 'requestTimeoutMs'];

/** What an endpoint needs of a store: `snapshot` throws `STORE_CLOSED` after `close()`. */
export interface ClosableStore {
  snapshot(): unknown;
}

/** What is particular to one endpoint. */
export interface Endpoint {
  /** The function that the user calls, for messages. */
  readonly where: string;
  /** While it is closed, the answer is 503. Left out by endpoints that answer all the same. */
  readonly store?: ClosableStore;
  readonly methods: readonly string[];
  /** `anybody`: nothing that it answers is worth a secret, and nobody is asked. */
  readonly admits?: 'anybody';
  readonly respond: (received: Received) => Answer | Promise<Answer>;
}

/**
 * The one engine behind both forms: closed? method? authorized? Only then is a body read, within its bounds.
 *
 * Throws `OPTION_INVALID`.
 */
export function httpHandler(endpoint: Endpoint, options: Partial<HttpBodyOptions> = {}): HttpHandler {
  const { where, store, methods, respond } = endpoint;
  const { maxBodyBytes = 1_048_576, requestTimeoutMs = 10_000 } = options;
  const authorize = endpoint.admits === 'anybody' ? undefined : checkedAuthorize(where, options.authorize);
  assertNumber(where, 'maxBodyBytes', maxBodyBytes, 1);
  assertNumber(where, 'requestTimeoutMs', requestTimeoutMs, 1);
  const admit = authorize && admission(where, authorize, requestTimeoutMs);
  const limits = { maxBytes: maxBodyBytes, timeoutMs: requestTimeoutMs };
  const warnings = new SayOnce();

  async function json(incoming: Incoming): ReturnType<Received['json']> {
    const body = await readJson(incoming, limits);
    if ('consumed' in body) warnings.say(consumed(where));
    return body;
  }

  async function answer(incoming: Incoming): Promise<Answer> {
    if (isClosed(store)) return refusal(503, 'closed');
    if (!methods.includes(incoming.method)) {
      return refusal(405, 'the method is not allowed', { allow: methods.join(', ') });
    }
    const admitted = await admit?.(incoming);
    if (admitted === 'failed') return refusal(503, 'authorization failed');
    if (admitted === 'refused') {
      return refusal(401, 'unauthorized', { 'www-authenticate': authorize?.challenge ?? 'Bearer' });
    }
    const { method, url, headers } = incoming;
    const answered = await respond({ method, url, headers, json: () => json(incoming) });
    // Closed meanwhile: nothing came of it here, and it may reach another replica.
    return isClosed(store) ? refusal(503, 'closed') : answered;
  }

  async function safely(accept: () => Incoming): Promise<Answer> {
    try {
      return await answer(accept());
    } catch (error) {
      if (isSecretsError(error, 'STORE_CLOSED')) return refusal(503, 'closed');
      warnings.say(defect(where, error));
      return refusal(500, 'failed');
    }
  }

  const web = async (request: Parameters<HttpHandler>[0]) =>
    toWeb(await safely(() => fromWeb(request)), request.method);
  const node: HttpHandler['node'] = async (request, response) =>
    toNode(await safely(() => fromNode(request)), request, response);
  return Object.assign(web, { node });
}

function isClosed(store: ClosableStore | undefined): boolean {
  try {
    store?.snapshot();
    return false;
  } catch (error) {
    if (isSecretsError(error, 'STORE_CLOSED')) return true;
    throw error;
  }
}

/** @throws `OPTION_INVALID`, while that can still keep the process from starting. */
export function checkedAuthorize(where: string, authorize: unknown): Authorize {
  if (typeof authorize === 'function') return authorize as Authorize;
  throw new SecretsError('OPTION_INVALID', `${where} has no authorize`, {
    next: 'Anybody could call it. Give it bearerToken(…), querySecret(…), basicAuth(…), or a function of your own.',
  });
}

function consumed(where: string): SecretsError {
  return new SecretsError('OPTION_INVALID', `the body of a request was read before ${where} got it`, {
    next: 'Put it before the body parser, or leave what the parser made of it in request.body.',
  });
}

/** For what would be a fault of ours. */
function defect(where: string, error: unknown): SecretsError {
  return new SecretsError('LISTENER_FAILED', `${where} failed with ${describeError(error)}`, {
    next: 'Please report this.',
  });
}
