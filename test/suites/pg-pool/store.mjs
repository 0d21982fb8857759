// Opens the store of `own-pool.cjs` before any test, and in every child process: a recipe needs an open store.
import { memory, SecretStore } from 'hot-secrets';

const password = process.env.SUITE_PASSWORD;
globalThis.suiteSecrets = await SecretStore.open({
  secrets: { password: 'password' },
  sources: [memory({ password })],
});
