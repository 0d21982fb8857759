import { inspect } from 'node:util';
import { memory, SecretStore, type SecretsError } from 'hot-secrets';
import { createPool as createMysqlPool, createPromisePool } from 'hot-secrets/mysql2';
import { createPool as createPgPool } from 'hot-secrets/pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createAuthority } from '../../../support/certificates';

const VALUE = 'f1ctitious';

type Reader = Pick<SecretStore, 'reveal' | 'get'>;
type Make = (store: SecretStore, recipe: (s: Reader) => unknown, options?: object) => unknown;

const MAKERS = [
  ['createPool of pg', createPgPool as unknown as Make, 'pg', 'connectionString'],
  ['createPool of mysql2', createMysqlPool as unknown as Make, 'mysql2', 'uri'],
  ['createPromisePool of mysql2', createPromisePool as unknown as Make, 'mysql2', 'uri'],
] as const;

const password = (s: Reader) => s.reveal('password');

/** The error of a call, of which no part may show the value. */
function failure(call: () => unknown): { code: string; what: string; next: string | undefined } {
  try {
    call();
  } catch (error) {
    const { stack, code, what, next } = error as SecretsError;
    const shown = `${stack} ${JSON.stringify(error)} ${inspect(error, { depth: 9, showHidden: true })}`;
    expect(shown.includes(VALUE)).toBe(false);
    return { code, what, next };
  }
  throw new Error('It did not fail.');
}

describe.each(MAKERS)('bad input of %s', (_name, make, peer, url) => {
  let store: SecretStore;
  beforeAll(async () => {
    store = await SecretStore.open({ sources: [memory({ password: VALUE })] });
  });
  afterAll(() => store.close());

  it.each<[string, (s: Reader) => unknown, string]>([
    ['is asynchronous', async (s) => ({ password: password(s) }), 'RECIPE_ASYNC'],
    // biome-ignore lint/suspicious/noThenProperty: A thenable of another library.
    ['returns a thenable', (s) => ({ then() {}, password: password(s) }), 'RECIPE_ASYNC'],
    ['reads no secret', () => ({ password: 'fixed' }), 'RECIPE_READS_NOTHING'],
    ['reads the store instead of the snapshot', () => ({ password: password(store) }), 'RECIPE_READS_STORE'],
    ['returns nothing', (s) => void password(s), 'RECIPE_FAILED'],
    ['returns null', (s) => (password(s) ? null : {}), 'RECIPE_FAILED'],
    ['returns a text', (s) => `db://app:${password(s)}@db/app`, 'RECIPE_FAILED'],
    ['returns an array', (s) => [{ password: password(s) }], 'RECIPE_FAILED'],
    ['returns bytes', (s) => Buffer.from(password(s)), 'RECIPE_FAILED'],
    ['returns a map', (s) => new Map([['password', password(s)]]), 'RECIPE_FAILED'],
    ['returns a box', (s) => password(s) && s.get('password'), 'RECIPE_FAILED'],
    ['gives a box as the password', (s) => ({ password: password(s) && s.get('password') }), 'RECIPE_FAILED'],
    ['gives a box as the user', (s) => ({ user: s.get('password'), password: password(s) }), 'RECIPE_FAILED'],
    ['gives a URL that is none', (s) => ({ [url]: `app:${password(s)}@db` }), 'RECIPE_FAILED'],
    ['gives a URL with half a host', (s) => ({ [url]: `mysql://a:${password(s)}@[db` }), 'RECIPE_FAILED'],
    ['misspells a setting', (s) => ({ pasword: password(s) }), 'OPTION_UNKNOWN'],
    [
      'throws',
      (s) => {
        throw new Error(password(s), { cause: password(s) });
      },
      'RECIPE_FAILED',
    ],
  ])('refuses a recipe that %s', (_kind, recipe, code) => {
    expect(failure(() => make(store, recipe))).toMatchObject({ code });
  });

  it.each([
    ['half a pair', (own: Pair) => ({ cert: own.cert }), 'PRIVATE_KEY_MISSING'],
    ['a key alone', (own: Pair) => ({ key: own.key }), 'CERTIFICATE_MISSING'],
    [
      'a key of another pair',
      (own: Pair, other: Pair) => ({ ...own, key: other.key }),
      'TLS_OPTIONS_INVALID',
    ],
    ['a text that is no key', (own: Pair) => ({ cert: own.cert, key: VALUE }), 'TLS_OPTIONS_INVALID'],
    ['a text that is no authority', () => ({ ca: VALUE }), 'CERTIFICATE_INVALID'],
  ])('refuses ssl options with %s', async (_kind, ssl, code) => {
    const authority = await createAuthority();
    const [own, other] = [await authority.issue(), await authority.issue()];
    const recipe = (s: Reader) => ({ password: password(s), ssl: ssl(own, other) });
    expect(failure(() => make(store, recipe))).toMatchObject({ code });
  });

  it.each([
    [{ authFailureWait: 1 }, 'OPTION_UNKNOWN'],
    [{ poolSize: 5 }, 'OPTION_UNKNOWN'],
    [{ retireOverMs: '1s' }, 'OPTION_INVALID'],
    [{ verifyTimeoutMs: -1 }, 'OPTION_INVALID'],
    [{ retire: 'later' }, 'OPTION_INVALID'],
    [{ name: '' }, 'OPTION_INVALID'],
    [{ [peer]: {} }, 'PEER_UNSUPPORTED'],
    [{ [peer]: null }, 'PEER_UNSUPPORTED'],
    [{ [peer]: peer }, 'PEER_UNSUPPORTED'],
    [{ [peer]: { default: { Pool: class {}, Client: class {} } } }, 'PEER_UNSUPPORTED'],
  ])('refuses the options %o', (options, code) => {
    expect(failure(() => make(store, (s) => ({ password: password(s) }), options))).toMatchObject({ code });
  });

  it('names the option that was probably meant', () => {
    const recipe = (s: Reader) => ({ password: password(s) });
    expect(failure(() => make(store, recipe, { authFailureWait: 1 })).next).toBe(
      'Did you mean "authFailureWaitMs"?',
    );
    expect(failure(() => make(store, (s) => ({ pasword: password(s) }))).next).toBe(
      'Did you mean "password"?',
    );
  });
});

interface Pair {
  readonly cert: string;
  readonly key: string;
}
