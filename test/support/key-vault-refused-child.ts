import { SecretStore } from 'hot-secrets';
import { keyVault } from 'hot-secrets/key-vault';

// Opens a store whose vault, proxy or identity endpoint never answers, and has nothing else to do.
const [vaultUrl = '', token] = process.argv.slice(2);
const credential =
  token === undefined
    ? undefined
    : { getToken: async () => ({ token, expiresOnTimestamp: Date.now() + 3_600_000 }) };
const source = keyVault({ vaultUrl, credential, startTimeoutMs: 1_500, requestTimeoutMs: 400 });
await SecretStore.open({ secrets: { key: 'key' }, sources: [source] }).catch((error) =>
  console.log(error.code),
);
