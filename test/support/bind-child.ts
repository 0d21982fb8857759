import { mountedFiles, SecretStore, type SecretsError } from '../../src/index';

// Opens a store on a directory with bind mounts, and reports what it says: before and after the commands of its parent.
const [path = '', discovery = ''] = process.argv.slice(2);
const errors: string[] = [];
const recovered: string[] = [];
const options = {
  sources: [mountedFiles(path, { pollIntervalMs: 100 })],
  on: {
    error: ({ code, message }: SecretsError) => errors.push(`${code}: ${message}`),
    recovered: ({ code }: SecretsError) => recovered.push(code),
  },
};
const store: SecretStore =
  discovery === ''
    ? await SecretStore.open({ ...options, secrets: { token: 'token' } as Record<string, string> })
    : await SecretStore.open(options);
const triggers: string[] = [];
store.on('change', ({ trigger }) => triggers.push(trigger));
process.on('message', async (command) => {
  if (command === 'end') {
    await store.close();
    return process.disconnect();
  }
  const value = store.has('token') ? store.reveal('token') : undefined;
  process.send?.({ value, errors, recovered, triggers, status: store.health().status });
});
process.send?.('open');
