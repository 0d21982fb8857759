import { mountedFiles, SecretStore } from 'hot-secrets';
import { createTestMount, type TestMount } from 'hot-secrets/testing';
import { onTestFinished } from 'vitest';
import type { RedisServer } from './redis';
import { RIGHTS } from './redis-rights';

/** The credential of a Redis user in a mount, with the store that follows it. */
export interface RedisHarness {
  readonly mount: TestMount;
  readonly secrets: SecretStore<{ readonly user: string; readonly password: string; readonly other: string }>;
  readonly user: string;
}

let users = 0;

export { RIGHTS };

/** Creates a user with a unique name and the password `first`. */
export async function redisHarness(server: RedisServer): Promise<RedisHarness> {
  users += 1;
  const user = `app-${users}`;
  await server.user(user, 'on', '>first', ...RIGHTS);
  const mount = await createTestMount({ user, password: 'first', other: 'unrelated' });
  const secrets = await SecretStore.open({
    secrets: { user: 'user', password: 'password', other: 'other' },
    sources: [mountedFiles(mount.path)],
  });
  // A refused credential is not a warning of these tests.
  secrets.on('error', () => {});
  onTestFinished(async () => {
    await secrets.close();
    await mount.cleanup();
  });
  return { mount, secrets, user };
}
