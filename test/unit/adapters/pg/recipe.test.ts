import type { Snapshot } from 'hot-secrets';
import { Pool, type PoolConfig } from 'pg';
import { describe, expect, it } from 'vitest';
import { configForClient, type PoolRecipe, runPoolRecipe } from '../../../../src/adapters/pg/recipe';
import type { SecretsError } from '../../../../src/errors';

const snapshot = { generation: 7 } as Snapshot;
const run = (recipe: unknown) =>
  runPoolRecipe('pool', recipe as PoolRecipe<Readonly<Record<string, string>>>, snapshot);

function failure(recipe: unknown): SecretsError {
  try {
    run(recipe);
  } catch (error) {
    return error as SecretsError;
  }
  throw new Error('It did not fail.');
}

describe('a recipe', () => {
  it('that throws says where, and neither its message nor a value', () => {
    const error = failure(() => {
      throw new TypeError('cannot use fictitious', { cause: 'fictitious' });
    });
    expect(error.code).toBe('RECIPE_FAILED');
    expect(error.cause).toBeUndefined();
    expect(error.message).toContain('TypeError at ');
    expect(`${error.stack} ${JSON.stringify(error)}`).not.toContain('fictitious');
  });

  it('that returns a promise is refused, also when that rejects', () => {
    expect(failure(async () => Promise.reject(new Error('unheard'))).code).toBe('RECIPE_ASYNC');
    // biome-ignore lint/suspicious/noThenProperty: A thenable of another library.
    expect(failure(() => ({ then() {} })).code).toBe('RECIPE_ASYNC');
  });

  it.each([undefined, null, 'postgres://'])('that returns %s is refused', (value) => {
    expect(failure(() => value).code).toBe('RECIPE_FAILED');
  });

  it('with a connectionString that cannot be parsed keeps it to itself', () => {
    const error = failure(() => ({ connectionString: 'postgres://user:fictitious@%zz:port' }));
    expect(error.code).toBe('RECIPE_FAILED');
    expect(`${error.stack}`).not.toContain('fictitious');
  });

  it('means what it names beside a connectionString', () => {
    const connectionString = 'postgres://url-user:url-password@url-host:6543/url-db?application_name=app';
    expect(run(() => ({ connectionString, user: 'named', password: 'own', host: undefined }))).toEqual({
      generation: 7,
      config: {
        user: 'named',
        password: 'own',
        host: 'url-host',
        port: '6543',
        database: 'url-db',
        application_name: 'app',
      },
    });
  });
});

describe('the configuration of a client', () => {
  it('leaves an ssl object as it is, so that a second pool from it has its key', () => {
    const ssl = { ca: 'ca', key: 'key', cert: 'cert' };
    const config: PoolConfig = { host: 'db', ssl };
    for (const _pool of [1, 2]) {
      const copy = configForClient(config);
      new Pool(copy);
      expect(Object.keys(copy.ssl as object)).toEqual(['ca', 'cert']);
      expect((copy.ssl as typeof ssl).key).toBe('key');
    }
    expect(Object.keys(ssl)).toEqual(['ca', 'key', 'cert']);
  });

  it('finds the key of an ssl object that pg has had before', () => {
    const ssl = { key: 'key', cert: 'cert' };
    new Pool({ ssl });
    expect(Object.keys(ssl)).toEqual(['cert']);
    expect(configForClient({ ssl })).toEqual({ ssl: { key: 'key', cert: 'cert' } });
  });

  it.each([{}, { ssl: true }, { ssl: false }])('passes %o on', (config) => {
    expect(configForClient(config)).toEqual(config);
  });
});
