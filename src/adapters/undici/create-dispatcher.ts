import type { Agent, Dispatcher } from 'undici';
import { passed } from '../../internal/options';
import { peer } from '../../internal/peer';
import type { Typed, TypesMissing } from '../../internal/typed';
import {
  type ClientRotation,
  type ClientRotationOptions,
  clientOptions,
  RotatingClient,
} from '../../rotation/client';
import type { Recipe } from '../../rotation/recipe';
import type { SecretStore } from '../../store/types';
import { AgentState, type UndiciModule } from './agent-state';
import { createRotatingDispatcher } from './rotating-dispatcher';

/** Turns a snapshot into the options of an `undici.Agent`. Synchronous; the dispatcher follows the secrets that it reads. */
export type DispatcherRecipe<V> = Recipe<V, Agent.Options>;

export interface CreateDispatcherOptions extends ClientRotationOptions {
  /** The `undici` package to use instead of the installed one. */
  readonly undici?: UndiciModule | undefined;
}

/** A `Dispatcher` that follows the rotation of its certificates. */
export type HotDispatcher = Typed<
  Dispatcher & Pick<Agent, 'closed' | 'destroyed'>,
  TypesMissing<'undici'>
> & {
  readonly rotation: ClientRotation;
};

const USES = ['Agent', 'Dispatcher', 'Pool', 'buildConnector'] as const;

const IN_RECIPE = ['connect', 'connections', 'pipelining', 'factory', 'allowH2', 'keepAliveTimeout'];

/**
 * An undici `Dispatcher` (a subclass of yours: `instanceof` holds) whose connections follow the secrets that the recipe
 * reads. On rotation the new `connect` options are checked; then requests go to a new `undici.Agent`, while the old one
 * finishes its requests on its open connections, or on new ones with the new material. No request fails. A bad
 * pair changes nothing.
 *
 * Pass it to `undici.request`, `undici.fetch`, or Node's own `fetch` if that accepts dispatchers of your major version of
 * undici. `close()` and `destroy()` also stop following the store; requests after them fail as with any dispatcher.
 *
 * Options: `undici`, `name` (default `dispatcher`), `drainTimeoutMs`, `retryBaseMs`, `retryMaxMs`.
 *
 * Throws `RECIPE_FAILED`, `RECIPE_ASYNC`, `RECIPE_READS_NOTHING`, `RECIPE_READS_STORE`, `CERTIFICATE_MISSING`, `PRIVATE_KEY_MISSING`,
 * `CERTIFICATE_CHAIN_BROKEN`, `CERTIFICATE_PURPOSE_WRONG`, `CERTIFICATE_KEY_UNSUPPORTED`,
 * `TLS_OPTIONS_INVALID` (in `rejected` events after the first run), `PEER_MISSING`, `PEER_UNSUPPORTED`, `OPTION_UNKNOWN`,
 * `OPTION_INVALID`. Events: `DRAIN_TIMEOUT`.
 *
 * @example
 * ```ts
 * const dispatcher = createDispatcher(secrets, (s) => ({
 *   connect: { ...s.reveal('client'), ca: s.revealWithPrevious('ca').flatMap(({ ca }) => ca) },
 * }));
 * const { body } = await request('https://api.internal/', { dispatcher });
 * ```
 */
export function createDispatcher<V>(
  store: SecretStore<V>,
  recipe: DispatcherRecipe<V>,
  options: CreateDispatcherOptions = {},
): HotDispatcher {
  const own = { undici: passed<UndiciModule>() };
  const settings = clientOptions('createDispatcher', options, 'dispatcher', own, IN_RECIPE);
  const undici = peer<UndiciModule>('undici', USES, settings.undici);
  const client: RotatingClient<V, Agent.Options, AgentState> = new RotatingClient('createDispatcher', {
    kind: 'undici',
    store,
    recipe,
    returns: 'an undici.Agent',
    options: settings,
    connect: (agentOptions) => new AgentState(undici, settings.name, agentOptions, () => client.current),
  });
  const { dispatcher, adopt } = createRotatingDispatcher(undici, client);
  adopt(client.current);
  client.follow({
    swap: adopt,
    openCount: (state) => state.openCount,
    drained: (state) => state.drained(),
    close: (state) => state.destroy(),
  });
  return client.expose(dispatcher as Dispatcher & Pick<Agent, 'closed' | 'destroyed'>);
}
