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

/** Options that the clients of the vault and of Entra ID have in common. */
export interface ClientOptions {
  readonly agent?: Agent;
  readonly additionalPolicies: readonly RequestPolicy[];
  readonly retryOptions: { readonly maxRetries: number };
}

/** What the connections of one vault are made of. */
export interface Connections {
  readonly timeoutMs: number;
  /** Ends every request. */
  readonly closing: AbortSignal;
  /** Goes before the proxy of the environment. */
  readonly given: Agent | undefined;
  /** Goes after it. */
  readonly own: Agent;
}

/** No retries: the client does not know how long the look may take, nor that the vault is to be left alone. */
export function clientOptions(connections: Connections): ClientOptions {
  const { given } = connections;
  return {
    ...(given === undefined ? {} : { agent: given }),
    additionalPolicies: [requestPolicy(connections)],
    retryOptions: { maxRetries: 0 },
  };
}

/** Bounds every request, also those to which the clients hand no signal: of a token, and of the second page of a list. */
function requestPolicy({ own, timeoutMs, closing }: Connections): RequestPolicy {
  const policy: RequestPolicy['policy'] = {
    name: 'hotSecretsRequestPolicy',
    sendRequest(request, next) {
      // This late, because the clients take no proxy where they find an agent.
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
