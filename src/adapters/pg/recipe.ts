import type { PoolConfig } from 'pg';
import { SecretsError } from '../../errors';
import { describeError } from '../../internal/describe-error';
import { loadPeer } from '../../internal/peer';
import { type Recipe, runRecipe } from '../../rotation/recipe';
import type { Snapshot } from '../../store/types';
import { checkedContext } from '../tls/checked-context';

/** Turns one generation into the options of a pool. Synchronous; what it reads is what the pool depends on. */
export type PoolRecipe<V> = Recipe<V, PoolConfig>;

/** Everything that one login needs, read from one generation at once. */
export interface Credential {
  readonly generation: number;
  /** Tells it from every other one: when a grace window ends, the same generation makes another credential. */
  readonly id: number;
  readonly config: PoolConfig;
}

let credentials = 0;

/**
 * Runs a recipe.
 * @throws `RECIPE_FAILED`, `RECIPE_ASYNC`, `CERTIFICATE_MISSING`, `PRIVATE_KEY_MISSING`, `TLS_OPTIONS_INVALID`, or what
 * reading the snapshot threw.
 */
export function runPoolRecipe<V>(name: string, recipe: PoolRecipe<V>, snapshot: Snapshot<V>): Credential {
  const config = withoutConnectionString(runRecipe(name, recipe, snapshot, 'a pg.Pool'));
  credentials += 1;
  return { generation: snapshot.generation, id: credentials, config: withContext(name, config) };
}

/**
 * pg lets `connectionString` win over everything beside it. Here it is the other way round: what the recipe names, it
 * means.
 */
function withoutConnectionString({ connectionString, ...named }: PoolConfig): PoolConfig {
  if (connectionString === undefined) return named;
  const parser = loadPeer<{ parse(text: string): object }>('pg-connection-string', 'pg');
  let parsed: object;
  try {
    parsed = parser.parse(connectionString);
  } catch (error) {
    throw new SecretsError('RECIPE_FAILED', `connectionString cannot be parsed: ${describeError(error)}`, {
      next: 'Percent-encode the special characters, or give host, user and password one by one.',
    });
  }
  const given = Object.entries(named).filter(([, value]) => value !== undefined);
  return { ...dropEmpty(parsed), ...Object.fromEntries(given) };
}

function dropEmpty(parsed: object): PoolConfig {
  return Object.fromEntries(
    Object.entries(parsed).filter(([, value]) => value !== null && value !== undefined),
  );
}

/**
 * The private parts of `ssl` go into a context, which shows nothing. pg hides the key alone, not a PFX or a passphrase;
 * and all of them stand in the options of each socket, where `inspect` finds them.
 */
function withContext(name: string, config: PoolConfig): PoolConfig {
  const { ssl } = config;
  if (typeof ssl !== 'object' || ssl === null) return config;
  const { key, pfx, passphrase, secureContext = checkedContext(name, ssl, 'optional'), ...shown } = ssl;
  return { ...config, ssl: { ...shown, secureContext } };
}
