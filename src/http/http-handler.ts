import { isSecretsError, SecretsError, type SecretsErrorCode } from '../errors';
import { describeError } from '../internal/describe-error';
import { kindOf, ms, type Option } from '../internal/options';
import { bounded } from '../internal/time';
import { SayOnce } from '../internal/warnings';
import { readJson, refusal } from './body';
import { fromNode, fromWeb, toAnswer, toNode, toWeb } from './forms';
import { hostName, hostOf, isFromAnotherSite } from './same-site';
import type { Answer, Authorizer, AuthorizerRequest, HttpHandler, Incoming, Received } from './types';

/** The options of every endpoint that asks an authorizer. Durations are milliseconds. */
export interface HttpOptions {
  /** Decides who may call the endpoint. Required. */
  readonly authorize: Authorizer;
  /** The limit for `authorize` (then 503) and for reading the body (then 408). Default: 10 000. */
  readonly requestTimeoutMs?: number | undefined;
  /**
   * The host names (`Host` header, without a port) that requests may be for; others are refused with 403. Set it where
   * `authorize` trusts the network: a page can point its own name at an address of that network. Default: any.
   */
  readonly hosts?: readonly string[] | undefined;
}

/** The declarations of `HttpOptions` for `readOptions`. */
export const httpOptions = (where: string) => ({
  authorize: authorizer(where),
  requestTimeoutMs: ms(10_000, { least: 1 }),
  hosts: hostNames,
});

const hostNames: Option<readonly string[] | undefined> = (given, reject) => {
  if (given === undefined) return undefined;
  const isUsable = Array.isArray(given) && given.length > 0 && given.every(isHostName);
  return isUsable ? (given as string[]) : reject('a list of host names in lower case, without ports');
};

const isHostName = (given: unknown) => given !== '' && hostName(given) === given;

/** Declares an authorizer, which is required: an endpoint without one would be open to anybody. */
export function authorizer(where: string): Option<Authorizer> {
  return (given) => {
    if (typeof given === 'function') return given as Authorizer;
    const what =
      given === undefined
        ? `${where} needs \`authorize\``
        : `${where}: \`authorize\` must be a function, not ${kindOf(given)}`;
    throw new SecretsError('OPTION_INVALID', what, {
      next: 'Without it, anybody could call the endpoint. Pass basicAuth(…), querySecret(…), bearerToken(…) or a function of your own.',
    });
  };
}

/** What distinguishes one endpoint from another. */
export interface Endpoint {
  /** The function that the user calls, for messages. */
  readonly where: string;
  /** Its `snapshot` throws `STORE_CLOSED` after `close()`; then the response is 503. Omitted by endpoints that respond even then. */
  readonly store?: { snapshot(): unknown };
  readonly methods: readonly string[];
  /** `anybody`: the responses contain nothing to protect. */
  readonly authorize: Authorizer | 'anybody';
  readonly requestTimeoutMs?: number;
  readonly hosts?: readonly string[] | undefined;
  readonly maxBodyBytes?: number;
  readonly respond: (received: Received) => Answer | Promise<Answer>;
}

/**
 * Handles all forms: it checks that the store is open, then the method, then the site and the authorizer, and only then reads
 * the body.
 */
export function httpHandler(endpoint: Endpoint): HttpHandler {
  const { where, store, methods, authorize, hosts, respond } = endpoint;
  const { requestTimeoutMs = 10_000, maxBodyBytes = 0 } = endpoint;
  const admit = authorize === 'anybody' ? undefined : admission(where, authorize, requestTimeoutMs);
  const challenge = authorize === 'anybody' ? undefined : authorize.challenge;
  const limits = { maxBytes: maxBodyBytes, timeoutMs: requestTimeoutMs };
  const warnings = new SayOnce();

  async function json(incoming: Incoming): ReturnType<Received['json']> {
    const body = await readJson(incoming, limits);
    if ('consumed' in body) warnings.say(bodyConsumed(where));
    return body;
  }

  async function answer(incoming: Incoming): Promise<Answer> {
    if (isClosed(store)) return refusal(503, 'closed');
    if (!methods.includes(incoming.method)) {
      return refusal(405, 'the method is not allowed', { allow: methods.join(', ') });
    }
    if (hosts !== undefined && !hosts.includes(hostName(hostOf(incoming)))) {
      return refusal(403, 'the host is not allowed');
    }
    if (incoming.method === 'POST' && isFromAnotherSite(incoming)) {
      return refusal(403, 'the request is from another site');
    }
    const verdict = await admit?.(incoming);
    if (typeof verdict === 'object') return refusal(503, 'authorization failed', undefined, verdict.failed);
    if (verdict === 'refused') {
      return refusal(401, 'unauthorized', { 'www-authenticate': challenge ?? 'Bearer' });
    }
    const { method, url, headers } = incoming;
    const answered = await respond({ method, url, headers, json: () => json(incoming) });
    // When the store closed meanwhile the request had no effect here, and a retry may reach another replica.
    return isClosed(store) ? refusal(503, 'closed') : answered;
  }

  async function safely(accept: () => Incoming): Promise<Answer> {
    try {
      return await answer(accept());
    } catch (error) {
      if (isSecretsError(error, 'STORE_CLOSED')) return refusal(503, 'closed');
      warnings.say(handlerFailed(where, error));
      return refusal(500, 'failed');
    }
  }

  const web = async (request: Parameters<HttpHandler>[0]) =>
    toWeb(await safely(() => fromWeb(request)), request.method);
  const answerOf: HttpHandler['answer'] = async (request) =>
    toAnswer(await safely(() => fromNode(request)), request);
  const node: HttpHandler['node'] = async (request, response) => toNode(await answerOf(request), response);
  return Object.assign(web, { node, answer: answerOf });
}

type Verdict = 'admitted' | 'refused' | { readonly failed: SecretsErrorCode };

/** The least time from a failure to the success that lets it be reported again. */
const QUIET_MS = 60_000;

/** Asks an authorizer, within a time limit. Each cause of a failure is reported once, until the authorizer works again. */
function admission(
  where: string,
  authorize: Authorizer,
  timeoutMs: number,
): (request: AuthorizerRequest) => Promise<Verdict> {
  const failures = new SayOnce();
  let failedAt = Number.NEGATIVE_INFINITY;
  const failure = (what: string) =>
    new SecretsError('LISTENER_FAILED', `authorize of ${where} ${what}`, {
      next: 'The response is 503, so the sender tries again.',
    });
  return async ({ method, url, headers }) => {
    try {
      const asked = (async () => authorize({ method, url, headers }))();
      const late = () => failure(`took longer than ${timeoutMs} ms`);
      const verdict = await bounded(asked, timeoutMs, late);
      // Not at once: where requests fail and succeed by turns, each would be a warning.
      if (performance.now() - failedAt > QUIET_MS) failures.clear();
      return verdict === true ? 'admitted' : 'refused';
    } catch (error) {
      failedAt = performance.now();
      const told = isSecretsError(error) ? error : failure(`failed with ${describeError(error)}`);
      failures.say(told);
      return { failed: told.code };
    }
  };
}

function isClosed(store: Endpoint['store']): boolean {
  try {
    store?.snapshot();
    return false;
  } catch (error) {
    if (isSecretsError(error, 'STORE_CLOSED')) return true;
    throw error;
  }
}

function bodyConsumed(where: string): SecretsError {
  return new SecretsError('OPTION_INVALID', `the body of a request was read before ${where} received it`, {
    next: 'Mount the handler before the body parser, or keep the parsed body in request.body.',
  });
}

/** Reports a bug of ours. */
function handlerFailed(where: string, error: unknown): SecretsError {
  return new SecretsError('LISTENER_FAILED', `${where} failed with ${describeError(error)}`, {
    next: 'Please report this.',
  });
}
