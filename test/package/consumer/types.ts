import { createServer } from 'node:https';
import { type Secret, type SecretAttributes, SecretStore, type Snapshot, secret } from 'hot-secrets';
import { eventGridHandler } from 'hot-secrets/http';
import { createAgent } from 'hot-secrets/https';
import { keyVault } from 'hot-secrets/key-vault';
import { createPool, type HotPool } from 'hot-secrets/pg';
import { createTestMount } from 'hot-secrets/testing';
import { attachSecureContext } from 'hot-secrets/tls';
import { createDispatcher } from 'hot-secrets/undici';

export async function typed(): Promise<HotPool> {
  const mount = await createTestMount({ user: 'app' });
  const secrets = await SecretStore.open({
    secrets: {
      user: 'user',
      key: secret.bytes('key'),
      beta: secret.text('beta').optional(),
      web: secret.tls('web'),
    },
    sources: [keyVault({ vaultUrl: 'https://shop.vault.azure.net' })],
  });
  attachSecureContext(createServer(), secrets, (s) => s.reveal('web'));
  createAgent(secrets, (s) => ({ ...s.reveal('web'), keepAlive: true })).destroy();
  await createDispatcher(secrets, (s) => ({ connect: { ...s.reveal('web') } })).close();
  eventGridHandler(secrets, { authorize: () => false });
  const user: string = secrets.reveal('user');
  const key: Uint8Array = secrets.reveal('key');
  const beta: string | undefined = secrets.reveal('beta');
  const box: Secret<string> = secrets.get('user');
  // @ts-expect-error An optional secret may have no box.
  const absent: Secret<string> = secrets.get('beta');
  // @ts-expect-error Nobody declared it.
  secrets.reveal('pasword');
  const { tags }: SecretAttributes = secrets.get('user').attributes;
  const generation: number = (secrets.snapshot() as Pick<Snapshot, 'generation'>).generation;
  await mount.cleanup();
  return createPool(secrets, (s) => ({
    user: s.reveal('user'),
    max: [user, key, beta, box, absent, tags, generation].length,
  }));
}
