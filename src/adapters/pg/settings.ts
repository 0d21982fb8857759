import { SecretsError } from '../../errors';
import { closestNames, editDistance } from '../../internal/options';

/** Settings of pg and its pool without which a service works differently. */
const SETTINGS = [
  ...['host', 'port', 'database', 'user', 'password', 'connectionString', 'ssl', 'sslnegotiation'],
  ...[
    'enableChannelBinding',
    'application_name',
    'client_encoding',
    'keepAlive',
    'keepAliveInitialDelayMillis',
  ],
  ...['connectionTimeoutMillis', 'statement_timeout', 'query_timeout', 'lock_timeout'],
  ...['idle_in_transaction_session_timeout', 'max', 'min', 'maxUses', 'maxLifetimeSeconds'],
  ...['idleTimeoutMillis', 'allowExitOnIdle', 'onConnect'],
];

/**
 * pg takes no notice of a setting that it does not know, so a misspelt one is silently without effect. Refuses a name that is
 * nearly one of its settings, where that one is not given. Any other name passes: some version of pg may know it.
 * @throws `OPTION_UNKNOWN`.
 */
export function assertSpelling(resource: string, config: object): void {
  for (const name of Object.keys(config)) {
    if (SETTINGS.includes(name)) continue;
    const [meant] = closestNames(name, SETTINGS);
    if (meant === undefined || meant in config || editDistance(name, meant) > tolerance(name)) continue;
    const what = `the recipe of the ${resource} returned \`${name}\`, which pg does not know`;
    throw new SecretsError('OPTION_UNKNOWN', what, { resource, next: `Did you mean "${meant}"?` });
  }
}

/** Short names are alike by chance: `path` is no misspelt `port`. */
function tolerance(name: string): number {
  return name.length < 6 ? 1 : name.length / 3;
}
