// A library that exports its stores and clients, and passes options that may be `undefined`.
import { mountedFiles, SecretStore, secret } from 'hot-secrets';
import { createAgent } from 'hot-secrets/https';
import { createPool } from 'hot-secrets/pg';

export const store = await SecretStore.open({
  secrets: { dbPassword: 'database-password', key: secret.bytes('key').optional(), web: secret.tls('web') },
  sources: [mountedFiles('/mnt/secrets-store', { pollIntervalMs: undefined, optional: true })],
  name: undefined,
  on: {
    error: undefined,
    change: ({ changes }) => changes[0]?.name satisfies 'dbPassword' | 'key' | 'web' | undefined,
  },
});
export const plain = await SecretStore.open();
export const pool = createPool(store, (s) => ({ password: s.reveal('dbPassword') }), { name: undefined });
export const agent = createAgent(store, (s) => ({ ...s.reveal('web') }), { drainTimeoutMs: undefined });
export class App {
  readonly secrets = store;
  readonly snapshot = store.snapshot();
}
