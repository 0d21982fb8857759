import { inspect } from 'node:util';
import { memory, SecretStore } from 'hot-secrets';
import { bearer } from 'hot-secrets/bearer';
import { createCallCredentials, createChannelCredentials, createServerCredentials } from 'hot-secrets/grpc';
import { createCluster, createRedis } from 'hot-secrets/ioredis';
import { keyring } from 'hot-secrets/keyring';
import { createClient, credentialsProvider } from 'hot-secrets/redis';
import { entraToken, rdsToken, token } from 'hot-secrets/tokens';
import { expect, it, onTestFinished, vi } from 'vitest';

const VALUE = 'hunter2-of-this-test';

type Snapshot = { reveal(name: string): string; get(name: string): unknown };
type Recipe = (s: Snapshot, store: Snapshot) => unknown;
type Loose = (...args: unknown[]) => unknown;

const REDIS = { createClient, credentialsProvider, createRedis, createCluster };
const GRPC = { createServerCredentials, createChannelCredentials };
const HEADERS = { bearer, createCallCredentials };
const ALL = { ...REDIS, ...GRPC, ...HEADERS };

async function openStore() {
  const source = memory({ password: VALUE, other: 'x' });
  const secrets = await SecretStore.open({
    secrets: { password: 'password', other: 'other' },
    sources: [source],
  });
  onTestFinished(() => secrets.close());
  return { source, secrets };
}

/** Calls `make`, which must fail. Whatever a program prints of its error has no value. */
async function failureOf(make: () => unknown): Promise<unknown> {
  let failure: unknown;
  try {
    await make();
  } catch (error) {
    failure = error;
  }
  const ways = [{}, { customInspect: false }, { getters: true }].map((more) =>
    inspect(failure, { depth: 9, showHidden: true, ...more }),
  );
  const { stack, cause } = (failure ?? {}) as Error;
  expect([...ways, JSON.stringify(failure), String(failure), stack, inspect(cause)].join('\n')).not.toContain(
    'hunter2',
  );
  return failure;
}

/** Everything that any of the clients needs, so that a recipe has one fault only. */
const sound = (password: unknown) => ({
  password,
  url: 'redis://cache',
  nodes: [{ host: 'cache', port: 1 }],
});

it.each<[string, object, string, Recipe]>([
  ['is asynchronous', ALL, 'RECIPE_ASYNC', async (s) => sound(s.reveal('password'))],
  [
    'is asynchronous and rejects with the value',
    ALL,
    'RECIPE_ASYNC',
    async (s) => {
      throw new Error(s.reveal('password'));
    },
  ],
  [
    'returns a thenable',
    { ...REDIS, ...GRPC },
    'RECIPE_ASYNC',
    // biome-ignore lint/suspicious/noThenProperty: a promise of another library.
    (s) => ({ then() {}, it: s.reveal('password') }),
  ],
  ['reads nothing', REDIS, 'RECIPE_READS_NOTHING', () => sound(VALUE)],
  ['reads nothing', HEADERS, 'RECIPE_READS_NOTHING', () => VALUE],
  ['reads nothing', GRPC, 'RECIPE_READS_NOTHING', () => ({ ca: VALUE })],
  ['reads later', REDIS, 'RECIPE_READS_NOTHING', (s) => sound(() => s.reveal('password'))],
  ['reads the store', ALL, 'RECIPE_READS_STORE', (_, store) => sound(store.reveal('password'))],
  ['reads an unknown name', ALL, 'NAME_UNKNOWN', (s) => sound(s.reveal('pasword'))],
  [
    'throws an error full of the value',
    ALL,
    'RECIPE_FAILED',
    (s) => {
      const value = s.reveal('password');
      throw Object.assign(new Error(value, { cause: value }), { code: value, name: value });
    },
  ],
  [
    'has a getter that throws',
    ALL,
    'RECIPE_FAILED',
    (s) => ({
      get password() {
        throw new TypeError(s.reveal('password'));
      },
    }),
  ],
  ['returns undefined', ALL, 'RECIPE_FAILED', (s) => void s.reveal('password')],
  ['returns null', ALL, 'RECIPE_FAILED', (s) => s.reveal('password') && null],
  ['returns a number', ALL, 'RECIPE_FAILED', (s) => s.reveal('password').length],
  ['returns the value', { ...REDIS, ...GRPC }, 'RECIPE_FAILED', (s) => s.reveal('password')],
  ['returns an array', ALL, 'RECIPE_FAILED', (s) => [s.reveal('password')]],
  ['returns bytes', ALL, 'RECIPE_FAILED', (s) => Buffer.from(s.reveal('password'))],
  ['returns a map', ALL, 'RECIPE_FAILED', (s) => new Map([['password', s.reveal('password')]])],
  ['returns a function', ALL, 'RECIPE_FAILED', (s) => s.reveal('password') && (() => sound(VALUE))],
  ['returns a box', ALL, 'RECIPE_FAILED', (s) => s.reveal('other') && s.get('password')],
  ['returns a box inside', ALL, 'RECIPE_FAILED', (s) => s.reveal('other') && sound(s.get('password'))],
  ['returns bytes as the password', REDIS, 'RECIPE_FAILED', (s) => sound(Buffer.from(s.reveal('password')))],
  ['returns no password', REDIS, 'RECIPE_FAILED', (s) => s.reveal('other') && sound(undefined)],
  [
    'returns a url whose password has a slash',
    REDIS,
    'RECIPE_FAILED',
    (s) => ({ ...sound('x'), url: `redis://app:hun/${s.reveal('password')}@cache` }),
  ],
  [
    'returns a url with the value as its port',
    REDIS,
    'RECIPE_FAILED',
    (s) => ({ ...sound('x'), url: `redis://cache:${s.reveal('password')}` }),
  ],
  [
    'returns a url of another protocol',
    { createClient },
    'RECIPE_FAILED',
    (s) => ({ password: s.reveal('password'), url: 'http://cache' }),
  ],
  [
    'returns a url with the value as its database',
    { createClient },
    'RECIPE_FAILED',
    (s) => ({ password: s.reveal('password'), url: `redis://cache/${s.reveal('password')}` }),
  ],
  [
    'returns the value as a port',
    REDIS,
    'RECIPE_FAILED',
    (s) => ({ ...sound('x'), port: s.reveal('password'), socket: { port: s.reveal('password') } }),
  ],
  [
    'returns the value as the port of a node',
    { createCluster },
    'RECIPE_FAILED',
    (s) => ({ password: 'x', nodes: [{ host: 'cache', port: s.reveal('password') }] }),
  ],
  ['returns no nodes', { createCluster }, 'RECIPE_FAILED', (s) => ({ password: s.reveal('password') })],
  [
    'returns an empty list of nodes',
    { createCluster },
    'RECIPE_FAILED',
    (s) => ({ ...sound(s.reveal('password')), nodes: [] }),
  ],
  [
    'returns one node, not a list',
    { createCluster },
    'RECIPE_FAILED',
    (s) => ({ ...sound(s.reveal('password')), nodes: 'cache:1' }),
  ],
  [
    'returns no sentinels',
    { createRedis },
    'RECIPE_FAILED',
    (s) => ({ password: s.reveal('password'), sentinels: [] }),
  ],
  [
    'returns a number as the socket',
    { createClient },
    'RECIPE_FAILED',
    (s) => ({ password: s.reveal('password'), socket: 5 }),
  ],
  ['names no server', { credentialsProvider }, 'RECIPE_FAILED', (s) => ({ password: s.reveal('password') })],
  [
    'returns neither a pair nor authorities',
    { createChannelCredentials },
    'RECIPE_FAILED',
    (s) => sound(s.reveal('password')),
  ],
  [
    'returns no certificates as certificates',
    GRPC,
    'TLS_OPTIONS_INVALID',
    (s) => ({ cert: s.reveal('password'), key: s.reveal('password') }),
  ],
  [
    'returns the value as the name of a header',
    HEADERS,
    'RECIPE_FAILED',
    (s) => ({ [`${s.reveal('password')} x`]: 'y' }),
  ],
  ['returns a list as a header', HEADERS, 'RECIPE_FAILED', (s) => ({ 'x-key': [s.reveal('password')] })],
  [
    'returns a header with a line break',
    HEADERS,
    'RECIPE_FAILED',
    (s) => ({ 'x-key': `${s.reveal('password')}\nx: y` }),
  ],
])('refuses a recipe that %s, shows no value, and stops', async (_, makers, code, recipe) => {
  const { source, secrets } = await openStore();
  const heard = vi.fn();
  secrets.on('error', heard);
  for (const [where, make] of Object.entries(makers) as [string, Loose][]) {
    const failure = await failureOf(() => make(secrets, (s: Snapshot) => recipe(s, secrets as Snapshot)));
    expect.soft(failure, where).toMatchObject({ code, next: expect.any(String) });
  }
  source.set({ password: 'second', other: 'y' });
  await secrets.refresh();
  expect(heard).not.toHaveBeenCalled();
});

const MODULES: readonly [string, Record<string, unknown>][] = [
  ['redis', { createClient, credentialsProvider }],
  ['ioredis', { createRedis, createCluster }],
  ['grpc', { ...GRPC, createCallCredentials }],
];

it.each(MODULES)(
  'refuses as the option %s what is not that module, and shows no value',
  async (option, makers) => {
    const { secrets } = await openStore();
    const broken = {
      createClient: 5,
      Redis: VALUE,
      Command: 5,
      Cluster: 5,
      experimental: null,
      credentials: 5,
      Metadata: 5,
    };
    for (const [where, make] of Object.entries(makers) as [string, Loose][]) {
      for (const given of [null, 5, VALUE, {}, { default: null }, { default: { [VALUE]: VALUE } }, broken]) {
        const recipe = (s: Snapshot) => ({ ...sound(s.reveal('password')), ca: 'x' });
        const failure = await failureOf(() => make(secrets, recipe, { [option]: given }));
        expect.soft(failure, `${where} ${inspect(given)}`).toMatchObject({
          code: 'PEER_UNSUPPORTED',
          next: expect.stringMatching(/(Pass that of|Install) (@grpc\/grpc-js|i?oredis|redis) \d/),
        });
      }
    }
  },
);

it.each(Object.entries(ALL) as [string, Loose][])(
  'refuses an unknown option of %s, and shows no value',
  async (_, make) => {
    const { secrets } = await openStore();
    const call = (options: object) =>
      failureOf(() => make(secrets, (s: Snapshot) => sound(s.reveal('password')), options));
    expect(await call({ retryBase: VALUE })).toMatchObject({
      code: 'OPTION_UNKNOWN',
      next: 'Did you mean "retryBaseMs"?',
    });
    expect(await call({ retryBaseMs: VALUE })).toMatchObject({ code: 'OPTION_INVALID' });
  },
);

it.each<[string, string, () => unknown]>([
  [
    'an identity that is null',
    'PEER_UNSUPPORTED',
    () => entraToken('t', { scope: 'https://x/.default', identity: null as never }),
  ],
  [
    'an identity without credentials',
    'PEER_UNSUPPORTED',
    () => entraToken('t', { scope: 'https://x/.default', identity: { [VALUE]: VALUE } as never }),
  ],
  ['a signer that is null', 'PEER_UNSUPPORTED', () => rdsToken('t', { ...RDS, rdsSigner: null as never })],
  [
    'a signer that is text',
    'PEER_UNSUPPORTED',
    () => rdsToken('t', { ...RDS, rdsSigner: { Signer: VALUE } }),
  ],
  [
    'a signer that throws the value',
    'TOKEN_FAILED',
    () =>
      rdsToken('t', {
        ...RDS,
        rdsSigner: {
          Signer: class {
            async getAuthToken() {
              throw Object.assign(new Error(VALUE), { code: VALUE });
            }
          },
        },
      }),
  ],
  [
    'an issuer that is down',
    'TOKEN_FAILED',
    () => token('t', { fetch: () => fetch(`http://127.0.0.1:9/${VALUE}`) as never, startTimeoutMs: 200 }),
  ],
  [
    'an issuer that refuses the first credential',
    'TOKEN_FAILED',
    () =>
      token('t', {
        fetch: () => Promise.reject(Object.assign(new Error(VALUE), { status: 401, cause: VALUE })),
        startTimeoutMs: 200,
      }),
  ],
  [
    'a fetch that throws text',
    'TOKEN_FAILED',
    () => token('t', { fetch: () => Promise.reject(VALUE), startTimeoutMs: 200 }),
  ],
  [
    'a fetch that never ends',
    'TOKEN_TIMEOUT',
    () => token('t', { fetch: () => new Promise(() => {}), startTimeoutMs: 200, requestTimeoutMs: 50 }),
  ],
  [
    'a fetch that returns the token alone',
    'TOKEN_INVALID',
    () => token('t', { fetch: () => VALUE as never }),
  ],
  [
    'a lifetime in text',
    'TOKEN_INVALID',
    () => token('t', { fetch: () => ({ token: VALUE, expiresInMs: '3600' as never }) }),
  ],
  ['a misspelt option', 'OPTION_UNKNOWN', () => token('t', { fetch: () => VALUE, ftch: VALUE } as never)],
  ['no function', 'OPTION_INVALID', () => token('t', { fetch: VALUE as never })],
  [
    'a credential that is text',
    'OPTION_INVALID',
    () => entraToken('t', { scope: 'https://x/.default', credential: VALUE as never }),
  ],
  ['a port that is text', 'OPTION_INVALID', () => rdsToken('t', { ...RDS, port: VALUE as never })],
])('refuses a source of tokens with %s, and shows no value', async (_, code, make) => {
  const failure = await failureOf(() =>
    SecretStore.open({ secrets: { t: 't' }, sources: [make() as ReturnType<typeof token>] }),
  );
  expect(failure).toMatchObject({ code, next: expect.any(String) });
});

const RDS = { hostname: 'db', port: 5432, username: 'app', region: 'eu-west-1', startTimeoutMs: 200 };

it.each<[string, string, readonly unknown[]]>([
  ['the name of another secret', 'NAME_UNKNOWN', ['pasword']],
  ['a recipe', 'OPTION_INVALID', [async (s: Snapshot) => s.reveal('password')]],
  ['an unknown option', 'OPTION_UNKNOWN', ['password', { signAfter: VALUE }]],
  ['the value as an option', 'OPTION_INVALID', ['password', { verifyForMs: VALUE }]],
  ['the value as the algorithm', 'OPTION_INVALID', ['password', { algorithm: VALUE }]],
  ['an algorithm that the key does not fit', 'SIGNING_KEY_INVALID', ['password', { algorithm: 'RS256' }]],
])('refuses a keyring with %s, and shows no value', async (_, code, args) => {
  const { secrets } = await openStore();
  const failure = await failureOf(() => (keyring as Loose)(secrets, ...args));
  expect(failure).toMatchObject({ code, next: expect.any(String) });
});
