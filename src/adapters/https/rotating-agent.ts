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

/** The overridden steps of Node's agent, and the state it keeps. Node declares only some of them. */
interface AgentInternals {
  options: AgentOptions;
  readonly sockets: ByName<Duplex>;
  readonly freeSockets: ByName<Duplex>;
  /** Requests that wait for a connection because of `maxSockets`. */
  readonly requests: ByName<ClientRequest>;
  /** Called by each request; `where`: its options. */
  addRequest(request: ClientRequest, ...where: readonly unknown[]): void;
  /** Opens a connection for a request, and keeps it in the books. */
  createSocket(request: ClientRequest, options: DialOptions, callback: SocketCallback): void;
  /** Opens one. */
  createConnection(options: DialOptions, callback?: SocketCallback): Duplex | null | undefined;
  keepSocketAlive(socket: Duplex): boolean;
  getName(options?: DialOptions): string;
  destroy(): void;
}

const Base = Agent as unknown as new (options: AgentOptions) => AgentInternals;

/**
 * Node's agent, in which the connector is a part of a connection's name. Connections, cached TLS sessions and queues are
 * kept by name, so nothing of one generation serves another: a resumed session would show the server the old identity,
 * and a kept-alive connection would outlive the authority that vouched for it.
 */
export class RotatingAgent extends Base {
  readonly #client: AgentClient;
  /** How a request that waits asks again, in the async context that it came from. */
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
        // Its own options make no valid context; the requests behind it must still be sent.
        fail(request, error);
      }
    }
  }

  // — Node's own steps —

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
      // Through a proxy, a connection may come late.
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

  /** Node writes keys into it. The agent's own keys are no longer in the options; keys of a request are hidden here. */
  override getName(options: DialOptions = {}): string {
    const { key, pfx, [CONNECTOR]: connector = this.#client.current } = options;
    const shown = key || pfx ? { ...options, key: hidden(key), pfx: hidden(pfx) } : options;
    return `${super.getName(shown)}:${connector.serial}`;
  }

  /** Also stops following the store. Requests that wait or come later fail: their certificate would never be rotated. */
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
      // Node makes a list for each name that is asked for, and would keep the list of a generation that never connected.
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

// With `agent: false` Node makes a new one of the default agent's class, without arguments.
Object.defineProperty(RotatingAgent.prototype, 'constructor', { value: Agent });

function hold(sockets: OpenSockets, socket: Duplex): void {
  sockets.add(socket);
  // Upgraded: it no longer belongs to the agent, and lives as long as its user likes.
  socket.once('agentRemove', () => sockets.delete(socket));
}

/** As Node's agent tells a request that its connection failed. */
function fail(request: ClientRequest, error: unknown): void {
  (request.onSocket as (socket: unknown, error: unknown) => void).call(request, null, error);
}

function hidden(value: unknown): string | undefined {
  return value ? fingerprint(Buffer.from(String(value))) : undefined;
}
