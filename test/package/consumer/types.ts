import { type Secret, SecretStore, type Snapshot, secret } from 'hot-secrets';
import { createPool, type HotPool } from 'hot-secrets/pg';
import { createTestMount } from 'hot-secrets/testing';

export async function typed(): Promise<HotPool> {
  const mount = await createTestMount({ user: 'app' });
  const secrets = await SecretStore.open({
    secrets: { user: 'user', key: secret.bytes('key'), beta: secret.text('beta').optional() },
  });
  const user: string = secrets.reveal('user');
  const key: Uint8Array = secrets.reveal('key');
  const beta: string | undefined = secrets.reveal('beta');
  const box: Secret<string> = secrets.get('user');
  // @ts-expect-error An optional secret may have no box.
  const absent: Secret<string> = secrets.get('beta');
  // @ts-expect-error Nobody declared it.
  secrets.reveal('pasword');
  const generation: number = (secrets.snapshot() as Pick<Snapshot, 'generation'>).generation;
  await mount.cleanup();
  return createPool(secrets, (s) => ({
    user: s.reveal('user'),
    max: [user, key, beta, box, absent, generation].length,
  }));
}
