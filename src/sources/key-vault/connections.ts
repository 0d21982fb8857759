import { Agent as HttpAgent, type RequestOptions } from 'node:http';
import { Agent } from 'node:https';
import type { Duplex } from 'node:stream';
import { unrefTimer } from '../../internal/time';
import type { WireResponse } from './answers';
import { type Attempt, attempts, type Connected, endSocket, proxyOf, TunnelAgent } from './tunnel';

/** The part of a request of the Azure clients that the policy uses. */
interface PipelineRequest {
  readonly url?: string;
  agent?: unknown;
  abortSignal?: AbortSignal;
  readonly tlsSettings?: unknown;
}

/** A policy of `@azure/core-rest-pipeline`, with its position in the options of a client. */
export interface RequestPolicy {
  readonly position: 'perRetry';
  readonly policy: {
    readonly name: string;
    sendRequest<T>(request: PipelineRequest, next: (request: PipelineRequest) => Promise<T>): Promise<T>;
  };
}

/** Common options of the clients of the vault and of Entra ID. */
export interface ClientOptions {
  readonly agent?: HttpAgent | undefined;
  readonly additionalPolicies: readonly RequestPolicy[];
  readonly retryOptions: { readonly maxRetries: number };
}

export interface ConnectionsOptions {
  /** Time limit of each request. */
  readonly timeoutMs: number;
  /** The agent from the options. It takes precedence over the proxy of the environment. */
  readonly agent: Agent | undefined;
}

/** Idle connections close early: refreshes are minutes apart, and network devices drop idle connections silently. */
const IDLE_MS = 20_000;

/**
 * For the endpoints of managed identities, which have plain http. All sources share it, because MSAL keeps the first client
 * that it gets for the whole process.
 */
class EndpointAgent extends HttpAgent {
  /** The token requests that were not given up. */
  waiting = 0;

  override createConnection(options: RequestOptions, connected?: Connected): Duplex | null | undefined {
    if (this.waiting > 0) return super.createConnection(options, connected);
    // A credential continues after it was given up, and nothing would end this connection.
    const givenUp = new DOMException('The request was given up', 'AbortError');
    process.nextTick(() => (connected as ((error: Error) => void) | undefined)?.(givenUp));
    return undefined;
  }

  endAll(): void {
    for (const sockets of Object.values(this.sockets)) sockets?.forEach(endSocket);
  }
}

const endpoints = new EndpointAgent();

/**
 * The connections of one source. It knows each of them, also those to proxies and to the endpoints of managed identities, so
 * that a request that was given up leaves none behind.
 */
export class Connections {
  readonly #timeoutMs: number;
  readonly #given: Agent | undefined;
  readonly #own = new Agent({ keepAlive: true, timeout: IDLE_MS });
  readonly #tunnels = new Map<string, TunnelAgent>();
  readonly #closing = new AbortController();

  constructor({ timeoutMs, agent }: ConnectionsOptions) {
    this.#timeoutMs = timeoutMs;
    this.#given = agent;
  }

  /** Aborts when the source closes. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  /** The options of the client of the vault. `check` throws if a response is not of a vault. */
  forVault(check: (response: WireResponse) => void): ClientOptions {
    return this.#options((request) => this.#given ?? this.#afterProxyPolicy(request.agent), check, undefined);
  }

  /**
   * The options of the credentials. `failed` is called with each request that failed, because they lose the cause. The managed
   * identity takes none of the policies but the agent, which must be one for http.
   */
  forIdentity(
    check: (response: WireResponse) => void,
    failed: (error: unknown, host: string) => void,
  ): ClientOptions {
    const agentFor = ({ url = '' }: PipelineRequest) => {
      if (url.startsWith('http:')) return endpoints;
      const proxy = this.#given === undefined ? proxyOf(new URL(url)) : undefined;
      return this.#given ?? this.#tunnel(proxy) ?? this.#own;
    };
    const options = this.#options(agentFor, check, failed);
    // Service Fabric has the only endpoint with https.
    return process.env.IDENTITY_ENDPOINT?.startsWith('https:') ? options : { ...options, agent: endpoints };
  }

  /** Runs a request for a token. If it fails, no signal ends what a managed identity still waits for. */
  async duringToken<T>(work: () => Promise<T>): Promise<T> {
    endpoints.waiting += 1;
    try {
      return await work();
    } finally {
      endpoints.waiting -= 1;
      if (endpoints.waiting === 0) endpoints.endAll();
    }
  }

  close(): void {
    this.#closing.abort();
    for (const agent of [this.#own, ...this.#tunnels.values()]) agent.destroy();
  }

  #afterProxyPolicy(agent: unknown): unknown {
    const { proxy } = (agent ?? {}) as { proxy?: unknown };
    return (proxy instanceof URL ? this.#tunnel(proxy) : agent) ?? this.#own;
  }

  #tunnel(proxy: URL | undefined): TunnelAgent | undefined {
    if (proxy === undefined) return undefined;
    const known = this.#tunnels.get(proxy.href) ?? new TunnelAgent(proxy, IDLE_MS);
    this.#tunnels.set(proxy.href, known);
    return known;
  }

  /** Disables retries: the client knows neither the time limit of the refresh nor the pause after throttling. */
  #options(
    agentFor: (request: PipelineRequest) => unknown,
    check: (response: WireResponse) => void,
    failed: ((error: unknown, host: string) => void) | undefined,
  ): ClientOptions {
    const [closing, timeoutMs] = [this.closing, this.#timeoutMs];
    /** Limits the time of every request, also of those that the clients send without a signal: for tokens, and list pages. */
    const policy: RequestPolicy['policy'] = {
      name: 'hotSecretsRequestPolicy',
      sendRequest(request, next) {
        if (request.tlsSettings === undefined) request.agent = agentFor(request);
        const signals = request.abortSignal === undefined ? [closing] : [closing, request.abortSignal];
        return withDeadline(signals, timeoutMs, async (signal) => {
          request.abortSignal = signal;
          const attempt: Attempt = { signal, failure: undefined };
          try {
            const response = await attempts.run(attempt, () => next(request));
            check(response as WireResponse);
            return response;
          } catch (error) {
            const known = attempt.failure ?? error;
            failed?.(known, new URL(request.url ?? 'https://localhost').hostname);
            throw known;
          }
        });
      },
    };
    return { additionalPolicies: [{ position: 'perRetry', policy }], retryOptions: { maxRetries: 0 } };
  }
}

/** Runs `work` with a signal that aborts after `ms`, or when any of `signals` aborts. */
export async function withDeadline<T>(
  signals: readonly AbortSignal[],
  ms: number,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const abort = () => controller.abort();
  const cancel = unrefTimer(ms, abort);
  for (const signal of signals) {
    signal.addEventListener('abort', abort, { once: true });
    if (signal.aborted) abort();
  }
  try {
    return await work(controller.signal);
  } finally {
    cancel();
    for (const signal of signals) signal.removeEventListener('abort', abort);
  }
}

/** Settles as `work` does, or rejects when `signal` aborts, because credentials and lists may ignore their signal. */
export function untilAborted<T>(signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  return new Promise<T>((resolve, reject) => {
    const abort = () => {
      controller.abort();
      reject(new DOMException('The operation was aborted', 'AbortError'));
    };
    if (signal.aborted) return abort();
    signal.addEventListener('abort', abort, { once: true });
    work(controller.signal)
      .then(resolve, reject)
      .finally(() => signal.removeEventListener('abort', abort));
  });
}
