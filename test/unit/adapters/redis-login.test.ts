import { memory, SecretStore } from 'hot-secrets';
import { createRedis } from 'hot-secrets/ioredis';
import { createClient, credentialsProvider } from 'hot-secrets/redis';
import { expect, it, onTestFinished } from 'vitest';
import { loginOf } from '../../../src/adapters/redis/login';

it.each([
  [{ url: 'redis://app:p%40ss@cache:6379/2' }, 'app', 'p@ss', 'redis://cache:6379/2'],
  [{ url: 'rediss://:secret@cache' }, undefined, 'secret', 'rediss://cache'],
  [{ url: 'redis://old:old@cache', username: 'app', password: 'new' }, 'app', 'new', 'redis://cache'],
  [{ url: 'redis://app:a:b@[::1]:6379' }, 'app', 'a:b', 'redis://[::1]:6379'],
  [{ url: 'unix://app:secret@/run/redis.sock?db=1' }, 'app', 'secret', 'unix:///run/redis.sock?db=1'],
  [{ username: 'app', password: 'secret' }, 'app', 'secret', undefined],
])('separates the credential from the address: %o', (options, username, password, url) => {
  expect(loginOf('redis', options)).toEqual({
    username,
    password,
    options: url === undefined ? {} : { url },
  });
});

it.each([
  { password: undefined },
  { password: '' },
  { password: 5 },
  { username: 7, password: 'hunter2' },
  { url: 'hunter2' },
  { url: 'redis://app:%zzhunter2@cache' },
  { url: 'redis://cache' },
])('refuses a recipe without a usable credential, and shows no value: %o', async (returned) => {
  const secrets = await SecretStore.open({
    secrets: { password: 'password' },
    sources: [memory({ password: 'x' })],
  });
  onTestFinished(() => secrets.close());
  for (const make of [createClient, credentialsProvider, createRedis] as ((
    ...args: unknown[]
  ) => unknown)[]) {
    const recipe = (s: { reveal(name: string): string }) => s.reveal('password') && returned;
    let failure: unknown;
    try {
      make(secrets, recipe);
    } catch (error) {
      failure = error;
    }
    expect(failure).toMatchObject({ code: 'RECIPE_FAILED' });
    expect(String((failure as Error).stack)).not.toContain('hunter2');
  }
});

it('refuses a provider whose recipe names no server, because it could not test a credential', async () => {
  const secrets = await SecretStore.open({
    secrets: { password: 'password' },
    sources: [memory({ password: 'x' })],
  });
  onTestFinished(() => secrets.close());
  expect(() => credentialsProvider(secrets, (s) => ({ password: s.reveal('password') }))).toThrow(
    expect.objectContaining({ code: 'RECIPE_FAILED', next: expect.stringContaining('rootNodes') }),
  );
});
