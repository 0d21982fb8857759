// Opens a store with the sources that the first argument names, and prints the value of one secret, or the error, as JSON.
import { environment, mountedFiles, SecretStore } from 'hot-secrets';

const [kind, path] = process.argv.slice(2);
const secrets = { token: 'api-token' };
const events = [];
const on = { error: ({ code }) => events.push(code) };
const options = {
  environment: () => ({ secrets, on, sources: [environment()] }),
  default: () => ({ secrets, on }),
  discovery: () => ({ on }),
  mount: () => ({ secrets: { ...secrets, nested: 'nested/password' }, on, sources: [mountedFiles(path)] }),
}[kind]();
try {
  const store = await SecretStore.open(options);
  await store.refresh();
  const value = store.reveal(kind === 'discovery' ? 'api-token' : 'token');
  await store.close();
  console.log(JSON.stringify({ value, events }));
} catch ({ code, next }) {
  console.log(JSON.stringify({ code, next }));
}
