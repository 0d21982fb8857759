import { isSecretsError, SecretsError } from '../../errors';
import { describeError } from '../../internal/describe-error';
import { assertNumber } from '../../internal/options';
import type { TriggerStore } from '../refresh-soon';
import { SayOnce } from '../say-once';
import { admission } from './admission';
import { refusal } from './answers';
import { readJson } from './json-body';
import { fromNode, toNode } from './node-form';
import type { Answer, Authorize, HttpHandler, Incoming, Received } from './types';
import { fromWeb, toWeb } from './web-form';

/** What every endpoint can be told. Durations are milliseconds. */
export interface HttpOptions {
  /** Who may pass. There is no endpoint without it. */
  readonly authorize: Authorize;
  /** A larger body is refused with 413. Default: 1 MiB. */
  readonly maxBodyBytes?: number;
  /** Bound of `authorize` (then 503), and of reading the body (then 408). Default: 10 000. */
  readonly requestTimeoutMs?: number;
}

export const HTTP_OPTIONS: readonly string[] = ['authorize', 'maxBodyBytes', 'requestTimeoutMs'];

/** What is particular to one endpoint. */
export interface Endpoint {
  /** The function that the user calls, for messages. */
  readonly where: string;
  readonly store: TriggerStore;
  readonly methods: readonly string[];
  readonly respond: (received: Received) => Answer | Promise<Answer>;
}

/**
 * The one engine behind both forms: closed? method? authorized? Only then is a body read, within its bounds.
 *
 * Throws `OPTION_INVALID`.
 */
export function httpHandler(endpoint: Endpoint, options: HttpOptions): HttpHandler {
  const { where, store, methods, respond } = endpoint;
  const { authorize, maxBodyBytes = 1_048_576, requestTimeoutMs = 10_000 } = options;
  assertAuthorize(where, authorize);
  assertNumber(where, 'maxBodyBytes', maxBodyBytes, 1);
  assertNumber(where, 'requestTimeoutMs', requestTimeoutMs, 1);
  const admit = admission(where, authorize, requestTimeoutMs);
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
    const admitted = await admit(incoming);
    if (admitted === 'failed') return refusal(503, 'authorization failed');
    if (admitted === 'refused') return refusal(401, 'unauthorized', { 'www-authenticate': 'Bearer' });
    const { method, url, headers } = incoming;
    const answered = await respond({ method, url, headers, json: () => json(incoming) });
    // Closed meanwhile: nothing came of it here, and it may reach another replica.
    return isClosed(store) ? refusal(503, 'closed') : answered;
  }

  async function safely(accept: () => Incoming): Promise<Answer> {
    try {
      return await answer(accept());
    } catch (error) {
      warnings.say(defect(where, error));
      return refusal(500, 'failed');
    }
  }

  const web = async (request: Parameters<HttpHandler>[0]) => toWeb(await safely(() => fromWeb(request)));
  const node: HttpHandler['node'] = async (request, response) =>
    toNode(await safely(() => fromNode(request)), request, response);
  return Object.assign(web, { node });
}

function isClosed(store: TriggerStore): boolean {
  try {
    store.snapshot();
    return false;
  } catch (error) {
    if (isSecretsError(error, 'STORE_CLOSED')) return true;
    throw error;
  }
}

function assertAuthorize(where: string, authorize: unknown): void {
  if (typeof authorize === 'function') return;
  throw new SecretsError('OPTION_INVALID', `${where} has no authorize`, {
    next: 'Anybody could make the store look. Give it bearerToken(…), querySecret(…), or a function of your own.',
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
