import dns from 'node:dns';
import { once } from 'node:events';
import { SecretStore } from 'hot-secrets';
import { keyVault } from 'hot-secrets/key-vault';

// Uses connections of the source itself instead of an agent of the emulator.
const [vaultUrl = '', token = ''] = process.argv.slice(2);
const loopback = (_: string, __: object, found: (error: null, addresses: object[]) => void) =>
  found(null, [{ address: '127.0.0.1', family: 4 }]);
dns.lookup = loopback as typeof dns.lookup;

const credential = { getToken: async () => ({ token, expiresOnTimestamp: Date.now() + 3_600_000 }) };
const names = Object.fromEntries(Array.from({ length: 6 }, (_, index) => [`key-${index}`, `key-${index}`]));
const store = await SecretStore.open({ secrets: names, sources: [keyVault({ vaultUrl, credential })] });
await store.refresh();
console.log('open');
await once(process.stdin, 'data');
await store.close();
console.log('closed');
await once(process.stdin, 'data');
process.exit();
