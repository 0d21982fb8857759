import type { Agent, AgentOptions } from 'node:https';
import {
  type ClientRotation,
  type ClientRotationOptions,
  clientOptions,
  RotatingClient,
} from '../../rotation/client';
import type { Recipe } from '../../rotation/recipe';
import type { SecretStore } from '../../store/types';
import { AgentConnector } from './agent-connector';
import { RotatingAgent } from './rotating-agent';

/** Turns a snapshot into the options of an agent. Synchronous; the agent follows the secrets that it reads. */
export type AgentRecipe<V> = Recipe<V, AgentOptions>;

/** An `https.Agent` that follows the rotation of its certificates. */
export type HotAgent = Agent & { readonly rotation: ClientRotation };

const IN_RECIPE = ['ca', 'cert', 'key', 'pfx', 'keepAlive', 'maxSockets', 'maxTotalSockets', 'servername'];

/**
 * A real `https.Agent` (`instanceof` holds) whose connections follow the secrets that the recipe reads. On rotation the
 * new material is checked; then new connections use it, idle ones are closed, and busy ones close after their request.
 * No request fails. Requests that wait because of `maxSockets` are sent with the new material. A bad pair changes nothing.
 *
 * The first run of the recipe fixes the settings that an agent copies at creation (`keepAlive`, `maxSockets`, `scheduling`, …).
 * `destroy()` also stops following the store; requests after it fail with `ROTATION_CLOSED`.
 *
 * Options: `name` (default `HTTPS agent`), `drainTimeoutMs`, `retryBaseMs`, `retryMaxMs`.
 *
 * Throws `RECIPE_FAILED`, `RECIPE_ASYNC`, `RECIPE_READS_NOTHING`, `RECIPE_READS_STORE`, `CERTIFICATE_MISSING`, `PRIVATE_KEY_MISSING`,
 * `CERTIFICATE_CHAIN_BROKEN`, `CERTIFICATE_PURPOSE_WRONG`, `CERTIFICATE_KEY_UNSUPPORTED`,
 * `TLS_OPTIONS_INVALID` (in `rejected` events after the first run), `OPTION_UNKNOWN`, `OPTION_INVALID`. Events:
 * `DRAIN_TIMEOUT`.
 *
 * @example
 * ```ts
 * const agent = createAgent(secrets, (s) => ({
 *   ...s.reveal('client'), // a secret.tls
 *   ca: s.revealWithPrevious('ca').flatMap(({ ca }) => ca), // also the old authority, until its grace window ends
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
  const settings = clientOptions('createAgent', options, 'HTTPS agent', {}, IN_RECIPE);
  const client = new RotatingClient('createAgent', {
    kind: 'https-agent',
    store,
    recipe,
    returns: 'an https.Agent',
    options: settings,
    connect: (agentOptions: AgentOptions) => new AgentConnector(settings.name, agentOptions),
  });
  const agent = new RotatingAgent(client);
  client.follow({
    swap: () => agent.swap(),
    openCount: ({ sockets }) => sockets.size,
    drained: ({ sockets }, signal) => sockets.empty(signal),
    close: ({ sockets }) => sockets.destroy(),
  });
  return client.expose(agent as unknown as Agent);
}
