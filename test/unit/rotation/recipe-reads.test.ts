import { createServer } from 'node:tls';
import { memory, rotating, SecretStore } from 'hot-secrets';
import { bearer } from 'hot-secrets/bearer';
import { createCallCredentials, createChannelCredentials } from 'hot-secrets/grpc';
import { createAgent } from 'hot-secrets/https';
import { createCluster, createRedis } from 'hot-secrets/ioredis';
import { createPool } from 'hot-secrets/pg';
import { createClient, credentialsProvider } from 'hot-secrets/redis';
import { attachSecureContext, createServerNames } from 'hot-secrets/tls';
import { createDispatcher } from 'hot-secrets/undici';
import { describe, expect, it, onTestFinished } from 'vitest';
import { waitFor } from '../../support/wait-for';
import { harness } from './harness';

async function openStore() {
  const source = memory({ user: 'u1', password: 'p1' });
  const secrets = await SecretStore.open({
    secrets: { user: 'user', password: 'password' },
    sources: [source],
  });
  onTestFinished(() => secrets.close());
  return { source, secrets };
}

type Store = Awaited<ReturnType<typeof openStore>>['secrets'];
type AnyRecipe = (s: {
  reveal(name: 'user' | 'password'): string;
  get(name: 'password'): { reveal(): string };
}) => object;

const clients: Record<string, (secrets: Store, recipe: AnyRecipe) => unknown> = {
  createPool: (secrets, recipe) => createPool(secrets, recipe),
  createAgent: (secrets, recipe) => createAgent(secrets, recipe),
  createDispatcher: (secrets, recipe) => createDispatcher(secrets, recipe),
  createClient: (secrets, recipe) => createClient(secrets, recipe),
  credentialsProvider: (secrets, recipe) => credentialsProvider(secrets, recipe),
  createRedis: (secrets, recipe) => createRedis(secrets, recipe),
  createCluster: (secrets, recipe) => createCluster(secrets, recipe as never),
  attachSecureContext: (secrets, recipe) => attachSecureContext(createServer(), secrets, recipe),
  bearer: (secrets, recipe) => bearer(secrets, recipe as never),
  createCallCredentials: (secrets, recipe) => createCallCredentials(secrets, recipe as never),
  createChannelCredentials: (secrets, recipe) => createChannelCredentials(secrets, recipe),
  createServerNames: (secrets, recipe) => createServerNames(secrets, { 'api.test': recipe }),
};

describe.each(Object.entries(clients))('%s', (where, make) => {
  it(`refuses a recipe of ${where} that reads no secret`, async () => {
    const { secrets } = await openStore();
    expect(() => make(secrets, () => ({}))).toThrow(
      expect.objectContaining({
        code: 'RECIPE_READS_NOTHING',
        what: expect.stringContaining('read no secret from its snapshot'),
        next: expect.stringMatching(/while it runs.*within a callback/),
      }),
    );
  });

  it('refuses a recipe that reads only in a callback, and says that such a read does not count', async () => {
    const { secrets } = await openStore();
    expect(() => make(secrets, (s) => ({ password: () => s.reveal('password') }))).toThrow(
      expect.objectContaining({
        code: 'RECIPE_READS_NOTHING',
        next: expect.stringContaining(
          'A read within a callback that is called later, such as password: () =>',
        ),
      }),
    );
  });

  it(`refuses a recipe of ${where} that reads the store, even if it reads its snapshot too`, async () => {
    const { secrets } = await openStore();
    const recipe: AnyRecipe = (s) => ({ user: s.reveal('user'), password: secrets.reveal('password') });
    expect(() => make(secrets, recipe)).toThrow(
      expect.objectContaining({
        code: 'RECIPE_READS_STORE',
        secret: 'password',
        what: expect.stringContaining('read the secret "password" from the store'),
        next: expect.stringContaining("s.reveal('password')"),
      }),
    );
  });
});

describe('the recipe of a client', () => {
  it('counts the reveal of a box and the read in a getter as reads of the recipe', async () => {
    const { secrets } = await openStore();
    const boxed = createPool(secrets, (s) => ({ password: s.get('password').reveal() }));
    const lazy = createPool(secrets, (s) => ({
      get password() {
        return s.reveal('password');
      },
    }));
    await Promise.all([boxed.end(), lazy.end()]);
  });

  it('accepts a recipe that makes another client, whose reads do not count as its own', async () => {
    const { secrets } = await openStore();
    const made: { end(): Promise<void> }[] = [];
    const outer = createPool(secrets, (s) => {
      made.push(createPool(secrets, (inner) => ({ password: inner.get('password').reveal() })));
      return { user: s.reveal('user') };
    });
    expect(made).toHaveLength(1);
    await Promise.all([outer.end(), ...made.map((pool) => pool.end())]);
  });
});

describe('a recipe that returns a box in place of its value', () => {
  it.each(Object.entries(clients))(
    'refuses a recipe of %s that returns a box in place of its value',
    async (_, make) => {
      const { secrets } = await openStore();
      expect(() => make(secrets, (s) => ({ password: s.get('password') }))).toThrow(
        expect.objectContaining({ code: 'RECIPE_FAILED', message: expect.stringContaining('`password`') }),
      );
    },
  );
});

describe('a rotating resource', () => {
  it('rejects a build that reads the store instead of its snapshot, and disposes of the result', async () => {
    const { secrets } = await openStore();
    const disposed: unknown[] = [];
    const resource = rotating(
      secrets,
      { build: async () => secrets.reveal('password'), dispose: (built) => void disposed.push(built) },
      { name: 'mailer' },
    );
    onTestFinished(() => resource.close());
    resource.on('rejected', () => {});
    await expect(resource.ready).rejects.toMatchObject({
      code: 'RECIPE_READS_STORE',
      secret: 'password',
      resource: 'mailer',
    });
    await waitFor(() => disposed.length === 1);
  });

  it('follows a secret that a resource reads lazily, after an asynchronous build', async () => {
    const { start, rotate, make, built } = await harness();
    const resource = start({
      build: async (s) => {
        await new Promise((resolve) => setImmediate(resolve));
        const fake = make(s);
        return Object.defineProperty(fake, 'other', { get: () => s.reveal('other') });
      },
    });
    const first = (await resource.ready) as unknown as { readonly other: string };
    await rotate({ other: 'o2' });
    expect(built).toHaveLength(1);
    // The value of its generation, which is an old one by now: the resource is built again at once.
    expect(first.other).toBe('o1');
    await waitFor(() => built.length === 2);
    const second = resource.current as unknown as { readonly other: string };
    expect(second.other).toBe('o2');
    await rotate({ other: 'o3' });
    await waitFor(() => built.length === 3);
  });
});
