import { Agent } from 'node:https';
import { withDeadline } from './bounded-work';

/** The part of a request of the Azure clients that is read and set. */
interface PipelineRequest {
  agent?: unknown;
  abortSignal?: AbortSignal;
  readonly tlsSettings?: unknown;
}

/** As of `@azure/core-rest-pipeline`, with its place in the options of a client. */
export interface RequestPolicy {
  readonly position: 'perRetry';
  readonly policy: {
    readonly name: string;
    sendRequest<T>(request: PipelineRequest, next: (request: PipelineRequest) => Promise<T>): Promise<T>;
  };
}

/** Looks are minutes apart, and what lies between drops idle connections without a word. */
const IDLE_MS = 20_000;

export function createAgent(): Agent {
  return new Agent({ keepAlive: true, timeout: IDLE_MS });
}

/**
 * Bounds every request, also those to which the clients hand no signal (a token, the second page of a list), and ends them
 * with `closing`. The agent comes this late so that the proxy of the environment, where there is one, goes before it.
 */
export function requestPolicy(agent: Agent, timeoutMs: number, closing: AbortSignal): RequestPolicy {
  const policy: RequestPolicy['policy'] = {
    name: 'hotSecretsRequestPolicy',
    sendRequest(request, next) {
      if (request.tlsSettings === undefined) request.agent ??= agent;
      const signals = request.abortSignal === undefined ? [closing] : [closing, request.abortSignal];
      return withDeadline(signals, timeoutMs, (abortSignal) => {
        request.abortSignal = abortSignal;
        return next(request);
      });
    },
  };
  return { position: 'perRetry', policy };
}
