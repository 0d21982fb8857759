import { Agent } from 'node:https';
import { unrefTimer } from '../../internal/time';

/** The part of a request of the Azure clients that the policy uses. */
interface PipelineRequest {
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
  readonly agent?: Agent | undefined;
  readonly additionalPolicies: readonly RequestPolicy[];
  readonly retryOptions: { readonly maxRetries: number };
}

/** How requests of one vault are sent. */
export interface Connections {
  readonly timeoutMs: number;
  /** Aborts every request. */
  readonly closing: AbortSignal;
  /** The agent from the options. It takes precedence over the proxy of the environment. */
  readonly given: Agent | undefined;
  /** The agent of this source, for requests without `given` and without a proxy. */
  readonly own: Agent;
}

/** Idle connections close early: refreshes are minutes apart, and network devices drop idle connections silently. */
const IDLE_MS = 20_000;

export function createAgent(): Agent {
  return new Agent({ keepAlive: true, timeout: IDLE_MS });
}

/** Disables retries: the client knows neither the time limit of the refresh nor the pause after throttling. */
export function clientOptions(connections: Connections): ClientOptions {
  const { given } = connections;
  return {
    ...(given === undefined ? {} : { agent: given }),
    additionalPolicies: [requestPolicy(connections)],
    retryOptions: { maxRetries: 0 },
  };
}

/** Limits the time of every request, including token requests and later list pages, which the clients send without a signal. */
function requestPolicy({ own, timeoutMs, closing }: Connections): RequestPolicy {
  const policy: RequestPolicy['policy'] = {
    name: 'hotSecretsRequestPolicy',
    sendRequest(request, next) {
      // Set the agent here, because the clients ignore a proxy if their options have an agent.
      if (request.tlsSettings === undefined) request.agent ??= own;
      const signals = request.abortSignal === undefined ? [closing] : [closing, request.abortSignal];
      return withDeadline(signals, timeoutMs, (abortSignal) => {
        request.abortSignal = abortSignal;
        return next(request);
      });
    },
  };
  return { position: 'perRetry', policy };
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
