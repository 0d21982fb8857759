import { createServer } from 'node:tls';
import { type Rotating, rotating, type SecretStore } from 'hot-secrets';
import { bearer } from 'hot-secrets/bearer';
import { createCallCredentials, createChannelCredentials, createServerCredentials } from 'hot-secrets/grpc';
import { createAgent } from 'hot-secrets/https';
import { createCluster, createRedis } from 'hot-secrets/ioredis';
import { createPool } from 'hot-secrets/pg';
import { createClient, credentialsProvider } from 'hot-secrets/redis';
import { attachSecureContext, createServerNames } from 'hot-secrets/tls';
import { createDispatcher } from 'hot-secrets/undici';
import { describe, expect, it } from 'vitest';
import { harness } from './harness';

type Loose = (...args: unknown[]) => unknown;

const makers: readonly [string, Loose][] = [
  ['createPool', createPool as Loose],
  ['createAgent', createAgent as Loose],
  ['createDispatcher', createDispatcher as Loose],
  ['createClient', createClient as Loose],
  ['credentialsProvider', credentialsProvider as Loose],
  ['createRedis', createRedis as Loose],
  ['bearer', bearer as Loose],
  ['createServerCredentials', createServerCredentials as Loose],
  ['createChannelCredentials', createChannelCredentials as Loose],
  ['createCallCredentials', createCallCredentials as Loose],
  ['createCluster', createCluster as Loose],
  ['attachSecureContext', (...args) => (attachSecureContext as Loose)(createServer(), ...args)],
];

function refusal(call: () => unknown): unknown {
  try {
    call();
  } catch (error) {
    return error;
  }
  return undefined;
}

describe.each(makers)('%s with wrong arguments', (where, make) => {
  it(`refuses wrong arguments of ${where}, and says what to pass instead`, async () => {
    const { secrets } = await harness();
    const recipe = (s: SecretStore) => ({ user: s.reveal('user') });
    const wrong: readonly [string, readonly unknown[], RegExp][] = [
      ['no recipe', [secrets], new RegExp(`Call ${where}\\(secrets, \\(s\\)`)],
      ['a recipe first', [recipe, secrets], /the store comes first/],
      ['no store', [undefined, recipe], /SecretStore\.open/],
      ['a text for a store', ['secrets', recipe], /SecretStore\.open/],
      ['a promise of a store', [Promise.resolve(secrets), recipe], /Await SecretStore\.open/],
      ['a text for options', [secrets, recipe, 'fast'], /Pass an object/],
      ['null for options', [secrets, recipe, null], /Pass an object/],
    ];
    for (const [title, args, next] of wrong) {
      expect(
        refusal(() => make(...args)),
        title,
      ).toMatchObject({
        code: 'OPTION_INVALID',
        next: expect.stringMatching(next),
      });
    }
  });
});

describe('client settings among the options', () => {
  it.each([
    ['max', createPool as Loose],
    ['idleTimeoutMillis', createPool as Loose],
    ['keepAlive', createAgent as Loose],
    ['connections', createDispatcher as Loose],
    ['url', createClient as Loose],
    ['host', createRedis as Loose],
    ['ca', createServerCredentials as Loose],
    ['headers', bearer as Loose],
    ['cert', createChannelCredentials as Loose],
  ])('refuses %s as an option and says that it belongs in the recipe', async (setting, make) => {
    const { secrets } = await harness();
    const recipe = (s: SecretStore) => ({ user: s.reveal('user') });
    expect(refusal(() => make(secrets, recipe, { [setting]: 10 }))).toMatchObject({
      code: 'OPTION_INVALID',
      next: expect.stringContaining(`Return it from the recipe: (s) => ({ ${setting}:`),
    });
  });
});

describe('a misspelt setting of pg in a recipe', () => {
  it.each([
    [{ pasword: 'p' }, 'password'],
    [{ passwrod: 'p' }, 'password'],
    [{ Host: 'db' }, 'host'],
    [{ idleTimeoutMs: 5 }, 'idleTimeoutMillis'],
    [{ application_nme: 'shop' }, 'application_name'],
  ])('refuses a misspelt setting of pg, and suggests the right one: %o', async (settings, meant) => {
    const { secrets } = await harness();
    const recipe = (s: SecretStore) => ({ user: s.reveal('user'), ...settings });
    expect(refusal(() => (createPool as Loose)(secrets, recipe))).toMatchObject({
      code: 'OPTION_UNKNOWN',
      resource: 'pool',
      next: `Did you mean "${meant}"?`,
    });
  });

  it('accepts settings that resemble no setting of pg, and misspelt ones next to the right one', async () => {
    const { secrets } = await harness();
    const others = {
      path: 'p',
      name: 'n',
      role: 'r',
      test: 1,
      pool: 1,
      client: 'pg',
      schema: 'public',
      log: () => {},
    };
    const known = {
      types: undefined,
      binary: false,
      verify: undefined,
      parseInputDatesAsUTC: true,
      poolSize: 3,
    };
    const settings = { ...others, ...known, passwords: ['a'], password: 'a', replication: undefined };
    const pool = createPool(secrets, (s) => ({ user: s.reveal('user'), ...settings }));
    await pool.end();
  });
});

describe('a misspelt function of a lifecycle', () => {
  const built = { build: (s: SecretStore) => s.reveal('user') };
  class Client {
    readonly connect = () => {};
    readonly verify = () => {};
    build(s: SecretStore) {
      return s.reveal('user');
    }
    reconnect() {}
  }
  class Misspelt extends Client {
    dispoze() {}
  }

  it.each<[object, string]>([
    [{ ...built, dispoze: () => {} }, 'Did you mean "dispose"?'],
    [{ bild: built.build }, 'Did you mean "build"?'],
    [{ ...built, verfiy: undefined }, 'Did you mean "verify"?'],
    [{ ...built, close: () => {} }, 'The functions are: build, verify, drain, dispose.'],
    [new Misspelt(), 'Did you mean "dispose"?'],
  ])(
    'refuses a misspelt function of a lifecycle, and suggests the right one: %o',
    async (lifecycle, next) => {
      const { secrets } = await harness();
      expect(refusal(() => (rotating as Loose)(secrets, lifecycle))).toMatchObject({
        code: 'OPTION_UNKNOWN',
        next,
      });
    },
  );

  it('says that an option belongs in the third argument of rotating', async () => {
    const { secrets } = await harness();
    expect(refusal(() => (rotating as Loose)(secrets, { ...built, drainTimeoutMs: 5 }))).toMatchObject({
      code: 'OPTION_INVALID',
      next: 'Pass it as the third argument: rotating(secrets, { build, … }, { drainTimeoutMs: … }).',
    });
  });

  it('accepts the other members of an instance, and data', async () => {
    const { secrets } = await harness();
    await (rotating as (...args: unknown[]) => Rotating<string>)(secrets, new Client()).close();
    await (
      rotating(secrets, { ...built, count: 0, disposed: [], dispose() {} } as never) as Rotating<string>
    ).close();
  });
});

describe('rotating and createServerNames with wrong arguments', () => {
  it('refuses wrong arguments of rotating and createServerNames, each with a fix', async () => {
    const { secrets } = await harness();
    const calls: readonly (() => unknown)[] = [
      () => (rotating as Loose)(secrets),
      () => (rotating as Loose)(secrets, () => 1),
      () => (rotating as Loose)(secrets, {}),
      () => (rotating as Loose)(secrets, { build: () => 1, dispose: 'close' }),
      () => (rotating as Loose)({}, { build: () => 1 }),
      () => (rotating as Loose)(secrets, { build: () => 1 }, 'fast'),
      () => (createServerNames as Loose)(secrets),
      () => (createServerNames as Loose)(secrets, { 'api.test': 'recipe' }),
      () => (createServerNames as Loose)({}, {}),
    ];
    for (const call of calls) {
      expect(refusal(call), String(call)).toMatchObject({ code: 'OPTION_INVALID', next: expect.any(String) });
    }
  });
});
