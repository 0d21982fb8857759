import type { Agent, Dispatcher } from 'undici';
import type { RotatingClient } from '../../rotation/client';
import type { AgentState, UndiciModule } from './agent-state';

/** The fields of a dispatcher that undici and its users read. */
const PROPERTIES = ['closed', 'destroyed', 'stats', 'webSocketOptions', 'eventSourceOptions'] as const;

const EVENTS = ['connect', 'disconnect', 'connectionError', 'drain'] as const;

type Listen = (
  event: string,
  listener: (origin: URL, targets: readonly Dispatcher[], ...rest: unknown[]) => void,
) => void;

type DispatcherClient = Pick<RotatingClient<never, Agent.Options, AgentState>, 'current' | 'states' | 'stop'>;

/** The dispatcher, and a function that makes it forward the events of an agent. */
export interface RotatingDispatcher {
  readonly dispatcher: Dispatcher;
  /** Forwards the events of an agent. */
  adopt(state: AgentState): void;
}

/**
 * Makes the dispatcher, which sends each request to the agent of the current generation. The state lives in this function
 * rather than in the object, because `compose()` wraps the object in a Proxy, through which private fields cannot be read.
 */
export function createRotatingDispatcher(undici: UndiciModule, client: DispatcherClient): RotatingDispatcher {
  class HotSecretsDispatcher extends undici.Dispatcher {
    override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
      return client.current.agent.dispatch(options, handler);
    }

    override close(): Promise<void>;
    override close(callback: () => void): void;
    override close(callback?: () => void): Promise<void> | undefined {
      return settle(client.stop(), callback);
    }

    override destroy(error?: Error | null): Promise<void>;
    override destroy(callback: () => void): void;
    override destroy(error: Error | null, callback: () => void): void;
    override destroy(error?: Error | null | (() => void), callback?: () => void): Promise<void> | undefined {
      const [cause, done] = typeof error === 'function' ? [null, error] : [error ?? null, callback];
      const destroyed = client.states.map((state) => state.destroy(cause));
      return settle(Promise.all([...destroyed, client.stop()]), done);
    }
  }

  const dispatcher = new HotSecretsDispatcher();
  for (const property of PROPERTIES) {
    const get = () => (client.current.agent as unknown as Record<string, unknown>)[property];
    Object.defineProperty(dispatcher, property, { get });
  }
  const emit = dispatcher.emit as (event: string, ...payload: unknown[]) => boolean;

  return {
    dispatcher,
    adopt({ agent }) {
      for (const event of EVENTS) {
        (agent.on as unknown as Listen).call(agent, event, (origin, targets, ...rest) => {
          emit.call(dispatcher, event, origin, [dispatcher, ...targets], ...rest);
        });
      }
    },
  };
}

/** Supports both forms of undici's `close` and `destroy`: a callback or a promise. */
function settle(ended: Promise<unknown>, callback?: () => void): Promise<void> | undefined {
  if (callback === undefined) return ended.then(() => {});
  // Called outside the promise, so that an error of the callback reaches the caller.
  void ended.then(() => queueMicrotask(callback));
  return undefined;
}
