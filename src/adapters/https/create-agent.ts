import type { Agent, AgentOptions } from 'node:https';
import {
  type ClientRotation,
  type ClientRotationOptions,
  clientRotationOptions,
  followSecrets,
} from '../../rotation/follow-secrets';
import { type Recipe, runRecipe } from '../../rotation/recipe';
import type { SecretStore } from '../../store/types';
import { AgentGeneration } from './agent-generation';
import { RotatingAgent } from './rotating-agent';

/** Turns one generation into the options of an agent. Synchronous; what it reads is what the agent depends on. */
export type AgentRecipe<V> = Recipe<V, AgentOptions>;

/** An `https.Agent` that follows the rotation of its certificates. */
export type HotAgent = Agent & { readonly rotation: ClientRotation };

/**
 * A real `https.Agent` (`instanceof` holds) whose connections follow the secrets that the recipe reads. On rotation the
 * new material is checked; then new connections use it, idle ones are closed, and busy ones close after their request.
 * No request fails. Requests that wait because of `maxSockets` are sent with the new material. A bad pair changes nothing.
 *
 * Settings that an agent copies when it is made (`keepAlive`, `maxSockets`, `scheduling`, …) are those of the first run.
 * `destroy()` also stops following the store; requests after it fail with `ROTATION_CLOSED`.
 *
 * Options: `name` (default `HTTPS agent`), `drainTimeoutMs`, `retryBaseMs`, `retryMaxMs`.
 *
 * Throws `RECIPE_FAILED`, `RECIPE_ASYNC`, `CERTIFICATE_MISSING`, `PRIVATE_KEY_MISSING`, `TLS_OPTIONS_INVALID`, which
 * are in `rejected` events later; and `OPTION_UNKNOWN`, `OPTION_INVALID`. Events: `DRAIN_TIMEOUT`.
 *
 * @example
 * ```ts
 * const agent = createAgent(secrets, (s) => ({
 *   ...s.reveal('client'), // a secret.tls
 *   ca: s.revealWithPrevious('ca').flatMap(({ ca }) => ca), // old and new authority, while the old one is in its grace window
 *   keepAlive: true,
 * }));
 * https.get('https://api.internal/', { agent }, (response) => response.resume());
 * ```
 */
export function createAgent<V>(
  store: SecretStore<V>,
  recipe: AgentRecipe<V>,
  options: ClientRotationOptions = {},
): HotAgent {
  const engine = clientRotationOptions('createAgent', 'HTTPS agent', options);
  const { name } = engine;
  return followSecrets(
    store,
    'https-agent',
    engine,
    (snapshot) =>
      new AgentGeneration(name, snapshot.generation, runRecipe(name, recipe, snapshot, 'an https.Agent')),
    (first, control) => {
      const agent = new RotatingAgent(name, first, control);
      return { client: agent as unknown as Agent, switchTo: (next) => agent.switchTo(next) };
    },
  );
}
