import type { PoolConfig } from 'pg';
import { isSecretsError, SecretsError } from '../../errors';
import { describeError } from '../../internal/describe-error';
import { loadPeer } from '../../internal/peer';
import type { Snapshot } from '../../store/types';

/** Turns one generation into the options of a pool. Synchronous; what it reads is what the pool depends on. */
export type PoolRecipe<V> = (snapshot: Snapshot<V>) => PoolConfig;

/** Everything that one login needs, read from one generation at once. */
export interface Credential {
  readonly generation: number;
  readonly config: PoolConfig;
}

/** Runs a recipe. Throws `RECIPE_FAILED`, `RECIPE_ASYNC`, or what reading the snapshot threw. */
export function runRecipe<V>(name: string, recipe: PoolRecipe<V>, snapshot: Snapshot<V>): Credential {
  let config: unknown;
  try {
    config = recipe(snapshot);
  } catch (error) {
    if (isSecretsError(error)) throw error;
    throw new SecretsError('RECIPE_FAILED', `the recipe of the ${name} threw ${describeError(error)}`, {
      next: 'Its message is left out, because it may hold a value.',
    });
  }
  if (config instanceof Promise || typeof (config as { then?: unknown } | null)?.then === 'function') {
    (config as Promise<unknown>).then(undefined, () => {});
    throw new SecretsError('RECIPE_ASYNC', `the recipe of the ${name} returned a promise`, {
      next: 'Return plain options; do what takes time before, and read it from the snapshot.',
    });
  }
  if (typeof config !== 'object' || config === null) {
    throw new SecretsError('RECIPE_FAILED', `the recipe of the ${name} returned no options`, {
      next: 'Return the options of a pg.Pool.',
    });
  }
  return { generation: snapshot.generation, config: withoutConnectionString(config as PoolConfig) };
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

/** A copy for one client: pg makes `ssl.key` non-enumerable on the object that it is given. */
export function configForClient({ ssl, ...rest }: PoolConfig): PoolConfig {
  if (typeof ssl !== 'object' || ssl === null) return ssl === undefined ? rest : { ...rest, ssl };
  const descriptors = Object.getOwnPropertyDescriptors(ssl) as Record<string, PropertyDescriptor>;
  for (const descriptor of Object.values(descriptors)) descriptor.enumerable = true;
  return { ...rest, ssl: Object.defineProperties({}, descriptors) as NonNullable<PoolConfig['ssl']> };
}
