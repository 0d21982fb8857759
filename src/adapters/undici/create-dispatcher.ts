import type { Agent, Dispatcher } from 'undici';
import { SecretsError } from '../../errors';
import { loadPeer } from '../../internal/peer';
import {
  type ClientRotation,
  type ClientRotationOptions,
  clientRotationOptions,
  followSecrets,
} from '../../rotation/follow-secrets';
import { type Recipe, runRecipe } from '../../rotation/recipe';
import type { SecretStore } from '../../store/types';
import { DispatcherGeneration, type UndiciModule } from './dispatcher-generation';
import { createRotatingDispatcher } from './rotating-dispatcher';

/** Turns one generation into the options of an `undici.Agent`. Synchronous; what it reads is what the dispatcher depends on. */
export type DispatcherRecipe<V> = Recipe<V, Agent.Options>;

export interface CreateDispatcherOptions extends ClientRotationOptions {
  /** The `undici` package to use, where it is not the installed one. */
  readonly undici?: UndiciModule;
}

/** A `Dispatcher` that follows the rotation of its certificates. */
export type HotDispatcher = Dispatcher &
  Pick<Agent, 'closed' | 'destroyed'> & { readonly rotation: ClientRotation };

/**
 * An undici `Dispatcher` (a subclass of yours: `instanceof` holds) whose connections follow the secrets that the recipe
 * reads. On rotation the new `connect` options are checked; then requests go to a new `undici.Agent`, while the old one
 * finishes what it has: with its open connections, or with new ones that use the new material. No request fails. A bad
 * pair changes nothing.
 *
 * It serves `undici.request`, `undici.fetch`, and Node's own `fetch` where that takes dispatchers of your major of
 * undici. `close()` and `destroy()` also stop following the store; requests after them fail as with any dispatcher.
 *
 * Options: `undici`, `name` (default `dispatcher`), `drainTimeoutMs`, `retryBaseMs`, `retryMaxMs`.
 *
 * Throws `RECIPE_FAILED`, `RECIPE_ASYNC`, `CERTIFICATE_MISSING`, `PRIVATE_KEY_MISSING`, `TLS_OPTIONS_INVALID`, which
 * are in `rejected` events later; and `PEER_MISSING`, `PEER_UNSUPPORTED`, `OPTION_UNKNOWN`, `OPTION_INVALID`. Events:
 * `DRAIN_TIMEOUT`.
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
  const engine = clientRotationOptions('createDispatcher', 'dispatcher', options, ['undici']);
  const { name } = engine;
  const undici = options.undici ?? loadPeer<UndiciModule>('undici');
  assertUndici(undici);
  let current: DispatcherGeneration;
  return followSecrets(
    store,
    'undici',
    engine,
    (snapshot) => {
      const agentOptions = runRecipe(name, recipe, snapshot, 'an undici.Agent');
      return new DispatcherGeneration(undici, name, snapshot.generation, agentOptions, () => current);
    },
    (first, control) => {
      current = first;
      const { dispatcher, adopt } = createRotatingDispatcher(undici, () => current, control);
      adopt(first);
      return {
        client: dispatcher as HotDispatcher,
        switchTo(next) {
          current = next;
          adopt(next);
        },
      };
    },
  );
}

function assertUndici(undici: UndiciModule): void {
  const lacking = (['Agent', 'Dispatcher', 'Pool', 'buildConnector'] as const).filter(
    (name) => typeof undici[name] !== 'function',
  );
  if (lacking.length === 0) return;
  const what = `the undici that was given has no ${lacking.join(', ')}`;
  throw new SecretsError('PEER_UNSUPPORTED', what, { next: 'Give the module of undici 6.19 or newer.' });
}
