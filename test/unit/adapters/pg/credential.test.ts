import { createSecureContext } from 'node:tls';
import type { Snapshot } from 'hot-secrets';
import { Client, Pool } from 'pg';
import { describe, expect, it } from 'vitest';
import { credentialOf } from '../../../../src/adapters/pg/credential';
import type { SecretsError } from '../../../../src/errors';
import { runRecipe } from '../../../../src/rotation/recipe';
import { createAuthority } from '../../../support/certificates';

const snapshot = { generation: 7 } as Snapshot;
const run = (recipe: unknown) =>
  credentialOf(Client, 'pool', runRecipe('pool', recipe as () => object, snapshot, 'a pg.Pool'));

function failure(recipe: unknown): SecretsError {
  try {
    run(recipe);
  } catch (error) {
    return error as SecretsError;
  }
  throw new Error('It did not fail.');
}

describe('the recipe of a pool', () => {
  it('says where a recipe threw, without its message or a value', () => {
    const error = failure(() => {
      throw new TypeError('cannot use fictitious', { cause: 'fictitious' });
    });
    expect(error.code).toBe('RECIPE_FAILED');
    expect(error.cause).toBeUndefined();
    expect(error.message).toContain('TypeError at ');
    expect(`${error.stack} ${JSON.stringify(error)}`).not.toContain('fictitious');
  });

  it('refuses a recipe that returns a promise or a thenable', () => {
    expect(failure(async () => Promise.reject(new Error('unheard'))).code).toBe('RECIPE_ASYNC');
    // biome-ignore lint/suspicious/noThenProperty: A thenable of another library.
    expect(failure(() => ({ then() {} })).code).toBe('RECIPE_ASYNC');
  });

  it.each([undefined, null, 'postgres://'])('refuses a recipe that returns %o', (value) => {
    expect(failure(() => value).code).toBe('RECIPE_FAILED');
  });

  it('keeps the hidden password of the options of a pool', () => {
    const { options } = new Pool({ host: 'db', password: 'fictitious' });
    expect(run(() => options).config).toMatchObject({ host: 'db', password: 'fictitious' });
    expect(run(() => ({ ...options, password: 'other' })).config.password).toBe('other');
  });

  it('keeps a connectionString that cannot be parsed out of the error', () => {
    const error = failure(() => ({ connectionString: 'postgres://user:fictitious@%zz:port' }));
    expect(error.code).toBe('RECIPE_FAILED');
    expect(`${error.stack}`).not.toContain('fictitious');
  });

  it.each([
    'fictitious',
    'app:fictitious@db:5432/shop',
    'postgres:app:fictitious@db/shop',
    'host=db password=fictitious',
    '"postgres://app:fictitious@db/shop"',
    '{"password":"fictitious"}',
  ])('refuses the connectionString %s, because pg would print its parts', (connectionString) => {
    const error = failure(() => ({ connectionString }));
    expect(error.code).toBe('RECIPE_FAILED');
    expect(`${error.stack} ${JSON.stringify(error)}`).not.toContain('fictitious');
  });

  it.each([
    ['postgresql://db.internal/shop', 'db.internal'],
    ['POSTGRES://db.internal/shop', 'db.internal'],
    ['shop?host=/run/postgresql', '/run/postgresql'],
    ['/run/postgresql shop', '/run/postgresql'],
    ['socket:/run/postgresql?db=shop', '/run/postgresql'],
  ])('accepts the connectionString %s', (connectionString, host) => {
    expect(run(() => ({ connectionString })).config).toMatchObject({ host, database: 'shop' });
  });

  it('prefers the options that a recipe names to those in its connectionString', () => {
    const connectionString = 'postgres://url-user:url-password@url-host:6543/url-db?application_name=app';
    expect(run(() => ({ connectionString, user: 'named', password: 'own', host: undefined }))).toMatchObject({
      config: {
        user: 'named',
        password: 'own',
        host: 'url-host',
        port: 6543,
        database: 'url-db',
        application_name: 'app',
      },
    });
  });
});

describe('the database of a connectionString', () => {
  const databaseOf = (connectionString: string, named: object = {}) =>
    run(() => ({ connectionString, ...named })).config.database;

  it.each([
    'postgres://app:secret@db/app',
    'postgresql://app@db:5432/app?application_name=x',
    'postgres:///app?host=/run&user=app',
    'socket:/run?db=app&user=app',
    '/run app',
    'app?user=app',
  ])('stays when %s names it, whatever the user is', (connectionString) => {
    expect(databaseOf(connectionString, { user: 'app-2' })).toBe('app');
    expect(databaseOf(connectionString, { user: 'app-2', database: 'named' })).toBe('named');
  });

  it.each([
    'postgres://app:secret@db',
    'postgres://app@db/',
    'postgres://app@db?x=/y',
    'socket:/run?user=app',
  ])('takes the user as the database when %s names none', (connectionString) => {
    expect(databaseOf(connectionString, { user: 'app-2' })).toBeUndefined();
  });
});

describe('a connectionString', () => {
  it('reads a connectionString with the pg module of the pool, which knows its sslmode', () => {
    const { config } = run(() => ({ connectionString: 'postgres://app@db/app?sslmode=no-verify' }));
    expect(config.ssl).toMatchObject({ rejectUnauthorized: false, secureContext: expect.any(Object) });
    expect(run(() => ({ connectionString: 'postgres://app@db/app?sslmode=disable' })).config.ssl).toBe(false);
  });

  it('needs a pg whose client says what it read', () => {
    class Other {}
    const recipe = () => ({ connectionString: 'postgres://db/app' });
    expect(() => credentialOf(Other as never, 'pool', recipe())).toThrow(
      expect.objectContaining({ code: 'PEER_UNSUPPORTED' }),
    );
  });
});

describe('the ssl options of a recipe', () => {
  it('makes a context from ssl options without changing them', async () => {
    const { cert, key } = await (await createAuthority()).issue();
    const ssl = { cert, key, servername: 'db' };
    // pg makes `key` of this object non-enumerable.
    new Pool({ ssl });
    for (const _pool of [1, 2]) {
      const { config } = run(() => ({ ssl }));
      expect(config.ssl).toEqual({ cert, servername: 'db', secureContext: expect.any(Object) });
    }
    expect(ssl.key).toBe(key);
  });

  it('refuses ssl options with half a pair, or with the key of another certificate', async () => {
    const authority = await createAuthority();
    const [one, other] = await Promise.all([authority.issue(), authority.issue()]);
    expect(failure(() => ({ ssl: { cert: one.cert } })).code).toBe('PRIVATE_KEY_MISSING');
    expect(failure(() => ({ ssl: { key: one.key } })).code).toBe('CERTIFICATE_MISSING');
    expect(failure(() => ({ ssl: { cert: one.cert, key: other.key } })).code).toBe('TLS_OPTIONS_INVALID');
  });

  it('uses the secureContext in ssl options as it is', () => {
    const secureContext = createSecureContext();
    expect(run(() => ({ ssl: { secureContext, key: 'fictitious' } })).config).toEqual({
      ssl: { secureContext },
    });
  });

  it.each([{}, { ssl: true }, { ssl: false }])('passes the options %o on unchanged', (config) => {
    expect(run(() => config).config).toEqual(config);
  });
});
