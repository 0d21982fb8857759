import { AsyncResource } from 'node:async_hooks';
import type { ClientRequest } from 'node:http';
import { Agent, type AgentOptions } from 'node:https';
import type { Duplex } from 'node:stream';
import { SecretsError } from '../../errors';
import type { RotatingClient } from '../../rotation/client';
import type { OpenSockets } from '../../rotation/open-sockets';
import { fingerprint } from '../../secret/fingerprint';
import { type AgentConnector, CONNECTOR, type DialOptions } from './agent-connector';

type AgentClient = Pick<RotatingClient<never, AgentOptions, AgentConnector>, 'name' | 'current' | 'stop'>;
type SocketCallback = (error: unknown, socket?: Duplex) => void;
type ByName<T> = Record<string, T[] | undefined>;

/** The methods and fields of Node's agent that the subclass uses. Node declares only some of them. */
interface AgentInternals {
  options: AgentOptions;
  readonly sockets: ByName<Duplex>;
  readonly freeSockets: ByName<Duplex>;
  /** Requests that wait for a connection because of `maxSockets`, by name. */
  readonly requests: ByName<ClientRequest>;
  /** Called for each request; `where` holds its options. */
  addRequest(request: ClientRequest, ...where: readonly unknown[]): void;
  /** Opens a connection for a request, and registers it. */
  createSocket(request: ClientRequest, options: DialOptions, callback: SocketCallback): void;
  /** Opens a connection. */
  createConnection(options: DialOptions, callback?: SocketCallback): Duplex | null | undefined;
  keepSocketAlive(socket: Duplex): boolean;
  getName(options?: DialOptions): string;
  destroy(): void;
}

const Base = Agent as unknown as new (options: AgentOptions) => AgentInternals;

/**
 * Node's agent with the connector as a part of each connection's name. Node keeps connections, cached TLS sessions and
 * queues by name, so no generation uses those of another: a resumed session would show the server the old identity,
 * and a kept-alive connection would outlive the authority that vouched for it.
 */
export class RotatingAgent extends Base {
  readonly #client: AgentClient;
  /** Requests a connection again for a waiting request, in the async context of that request. */
  readonly #askAgain = new WeakMap<ClientRequest, () => void>();
  #destroyed = false;

  constructor(client: AgentClient) {
    super(client.current.options);
    this.#client = client;
  }

  /** New connections use the client's current connector; idle ones are closed, busy ones after their request. */
  swap(): void {
    const idle = Object.values(this.freeSockets).flat();
    this.options = this.#client.current.options;
    for (const socket of idle) socket?.destroy();
    for (const request of this.#takeQueue()) {
      try {
        this.#askAgain.get(request)?.();
      } catch (error) {
        // The options of this request make no valid context. The requests behind it must still be sent.
        fail(request, error);
      }
    }
  }

  // — overrides of Node's agent —

  override addRequest(request: ClientRequest, ...where: readonly unknown[]): void {
    if (this.#destroyed) {
      fail(request, this.#closed());
      return;
    }
    super.addRequest(request, ...where);
    const waits = Object.values(this.requests).some((queue) => queue?.at(-1) === request);
    if (!waits) return;
    const again = AsyncResource.bind(() => this.addRequest(request, ...where));
    this.#askAgain.set(request, again);
  }

  override createSocket(request: ClientRequest, options: DialOptions, callback: SocketCallback): void {
    const { sockets } = this.#client.current;
    super.createSocket(request, options, (error, socket) => {
      // A proxy may open the connection late.
      if (socket && this.#destroyed) {
        socket.destroy();
        callback(this.#closed());
        return;
      }
      if (socket) hold(sockets, socket);
      callback(error, socket);
    });
  }

  override createConnection(options: DialOptions, callback?: SocketCallback): Duplex | null | undefined {
    const { [CONNECTOR]: connector = this.#client.current } = options;
    const secured = { ...options, secureContext: connector.contextFor(options) };
    return super.createConnection(secured, callback);
  }

  override keepSocketAlive(socket: Duplex): boolean {
    return !this.#destroyed && this.#client.current.sockets.has(socket) && super.keepSocketAlive(socket);
  }

  /** Node writes keys into the name. The options no longer have the agent's own; this hides the keys of a request. */
  override getName(options: DialOptions = {}): string {
    const { key, pfx, [CONNECTOR]: connector = this.#client.current } = options;
    const shown = key || pfx ? { ...options, key: hidden(key), pfx: hidden(pfx) } : options;
    return `${super.getName(shown)}:${connector.serial}`;
  }

  /** Also stops following the store. Waiting and later requests fail, because their certificate would never rotate. */
  override destroy(): void {
    if (!this.#destroyed) {
      this.#destroyed = true;
      for (const request of this.#takeQueue()) fail(request, this.#closed());
      void this.#client.stop();
    }
    super.destroy();
  }

  #takeQueue(): ClientRequest[] {
    const waiting = Object.entries(this.requests);
    for (const [name] of waiting) {
      delete this.requests[name];
      // Node makes a list for each requested name, and would keep that of a generation that never connected.
      if (this.sockets[name]?.length === 0) delete this.sockets[name];
    }
    return waiting.flatMap(([, queue]) => queue ?? []);
  }

  #closed(): SecretsError {
    return new SecretsError('ROTATION_CLOSED', `the ${this.#client.name} was destroyed`, {
      next: 'Make requests with an agent that follows its secrets.',
    });
  }
}

// With `agent: false`, Node calls the constructor of the default agent without arguments.
Object.defineProperty(RotatingAgent.prototype, 'constructor', { value: Agent });

function hold(sockets: OpenSockets, socket: Duplex): void {
  sockets.add(socket);
  // An upgraded connection no longer belongs to the agent.
  socket.once('agentRemove', () => sockets.delete(socket));
}

/** Fails a request as Node's agent does when its connection fails. */
function fail(request: ClientRequest, error: unknown): void {
  (request.onSocket as (socket: unknown, error: unknown) => void).call(request, null, error);
}

function hidden(value: unknown): string | undefined {
  return value ? fingerprint(Buffer.from(String(value))) : undefined;
}
