import type { Agent, buildConnector, Dispatcher } from 'undici';
import { SecretsError } from '../../errors';
import { describeError } from '../../internal/describe-error';
import { OpenSockets } from '../../rotation/open-sockets';
import { contextFor, type SecureOptions, withoutContextOptions } from '../tls/secure-context';

/** The part of the `undici` package that the dispatcher uses. */
export type UndiciModule = Pick<typeof import('undici'), 'Agent' | 'Dispatcher' | 'Pool' | 'buildConnector'>;

/** Every dispatcher of undici has `destroyed`; one that a user's factory returns may not. */
type PoolLike = Dispatcher & { readonly destroyed?: boolean };

/** Makes the connector of a pool with these settings. */
type MakeConnector = (settings: Agent.Options) => buildConnector.connector;

/** The settings of a pool that undici passes to its connector. */
const PASSED_ON = [
  'allowH2',
  'autoSelectFamily',
  'autoSelectFamilyAttemptTimeout',
  'maxCachedSessions',
  'socketPath',
] as const;

/** One `undici.Agent` per generation. Once closed, it finishes its requests and accepts no new ones. */
export class AgentState {
  readonly agent: Agent;
  readonly #makeConnector: MakeConnector;
  readonly #current: () => AgentState;
  /** The agent's pools. The agent forgets a pool whose last connection ends, although requests may still wait in it. */
  readonly #pools = new Set<PoolLike>();
  readonly #sockets = new OpenSockets();
  #dialing = 0;
  #destroying: Promise<unknown> | undefined;
  #tellDestroyed = () => {};
  readonly #destroyed = new Promise<void>((resolve) => {
    this.#tellDestroyed = resolve;
  });

  /**
   * `current` returns the state for new connections, because an old agent that still has a queue must not use
   * replaced secrets. Throws what `contextFor` throws, and `RECIPE_FAILED` for options that no agent takes.
   */
  constructor(
    undici: UndiciModule,
    name: string,
    { connect, tls, ...options }: Agent.Options,
    current: () => AgentState,
  ) {
    this.#current = current;
    this.#makeConnector =
      typeof connect === 'function'
        ? () => connect
        : connectorMaker(undici, name, { ...(tls as object | undefined), ...connect } as SecureOptions);
    const { factory = (origin, settings) => new undici.Pool(origin, settings) } = options;
    try {
      this.agent = new undici.Agent({
        ...options,
        factory: (origin, settings) =>
          this.#note(factory(origin, { ...settings, connect: this.#connector(settings) })),
      });
    } catch (error) {
      const what = `an undici.Agent refuses the options of the ${name} with ${describeError(error)}`;
      throw new SecretsError('RECIPE_FAILED', what, { next: 'Return the options of an undici.Agent.' });
    }
  }

  get openCount(): number {
    return this.#sockets.size + this.#dialing;
  }

  /** Finishes the requests that are running or queued. */
  async drained(): Promise<void> {
    const living = [...this.#pools, this.agent].filter(({ destroyed }) => destroyed !== true);
    const closed = Promise.allSettled(living.map(async (one) => one.close()));
    // A close may never settle once a destroy overtakes it.
    await Promise.race([closed, this.#destroyed]);
  }

  destroy(error: Error | null = null): Promise<unknown> {
    this.#destroying ??= Promise.allSettled(
      [...this.#pools, this.agent].map(async (one) => one.destroy(error)),
    ).then(this.#tellDestroyed);
    return this.#destroying;
  }

  #note(pool: PoolLike): PoolLike {
    for (const one of this.#pools) if (one.destroyed === true) this.#pools.delete(one);
    this.#pools.add(pool);
    return pool;
  }

  /** Opens the connections of one pool. */
  #connector(settings: Agent.Options): buildConnector.connector {
    let maker: AgentState | undefined;
    let open: buildConnector.connector;
    return (where, callback) => {
      const current = this.#current();
      // Each pool and generation has its own connector, because a connector caches TLS sessions.
      if (maker !== current) open = current.#makeConnector(settings);
      maker = current;
      this.#dialing += 1;
      open(where, (...result) => {
        this.#dialing -= 1;
        const [, socket] = result;
        if (socket) this.#sockets.add(socket);
        callback(...result);
      });
    };
  }
}

/** Makes connectors from `connect` options as a pool of undici does, but around one context. Throws what `contextFor` throws. */
function connectorMaker(
  undici: Pick<UndiciModule, 'buildConnector'>,
  name: string,
  connect: SecureOptions,
): MakeConnector {
  const secure = { ...withoutContextOptions(connect), secureContext: contextFor(name, connect) };
  return (settings) => {
    const given = PASSED_ON.filter((option) => settings[option] !== undefined);
    return undici.buildConnector({
      ...Object.fromEntries(given.map((option) => [option, settings[option]])),
      ...(settings.connectTimeout === undefined ? {} : { timeout: settings.connectTimeout }),
      ...secure,
    });
  };
}
