import type { Dispatcher } from 'undici';
import type { ClientControl } from '../../rotation/follow-secrets';
import type { DispatcherGeneration, UndiciModule } from './dispatcher-generation';

/** What undici and its users read of a dispatcher beside its methods. */
const PROPERTIES = ['closed', 'destroyed', 'stats', 'webSocketOptions', 'eventSourceOptions'] as const;

const EVENTS = ['connect', 'disconnect', 'connectionError', 'drain'] as const;

type Listen = (
  event: string,
  listener: (origin: URL, targets: readonly Dispatcher[], ...rest: unknown[]) => void,
) => void;

/** The dispatcher, and what makes it say what another agent says. */
export interface Face {
  readonly dispatcher: Dispatcher;
  /** Passes the events of an agent on as the dispatcher's own. */
  adopt(generation: DispatcherGeneration): void;
}

/**
 * Makes the dispatcher: a face that sends each request to the agent of the current generation. Its state is in this
 * function and not in the object, because `compose()` wraps that in a Proxy, which private fields do not get through.
 */
export function createRotatingDispatcher(
  undici: UndiciModule,
  current: () => DispatcherGeneration,
  control: ClientControl<DispatcherGeneration>,
): Face {
  class RotatingDispatcher extends undici.Dispatcher {
    override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
      return current().agent.dispatch(options, handler);
    }

    override close(): Promise<void>;
    override close(callback: () => void): void;
    override close(callback?: () => void): Promise<void> | undefined {
      return settle(control.stop(), callback);
    }

    override destroy(error?: Error | null): Promise<void>;
    override destroy(callback: () => void): void;
    override destroy(error: Error | null, callback: () => void): void;
    override destroy(error?: Error | null | (() => void), callback?: () => void): Promise<void> | undefined {
      const [cause, done] = typeof error === 'function' ? [null, error] : [error ?? null, callback];
      const destroyed = control.generations().map((generation) => generation.destroy(cause));
      return settle(Promise.all([...destroyed, control.stop()]), done);
    }
  }

  const dispatcher = new RotatingDispatcher();
  for (const property of PROPERTIES) {
    const get = () => (current().agent as unknown as Record<string, unknown>)[property];
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

/** undici's two ways to hear of an end. */
function settle(ended: Promise<unknown>, callback?: () => void): Promise<void> | undefined {
  if (callback === undefined) return ended.then(() => {});
  // Out of the promise: what the callback throws is the caller's.
  void ended.then(() => queueMicrotask(callback));
  return undefined;
}
