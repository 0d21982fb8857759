import { mountedFiles, SecretStore } from '../../src/index';

// Opens a store on a mount, with the rights of its own user, and reports what the store says.
const [path = '', names = '', pollIntervalMs = '600000'] = process.argv.slice(2);
const say = (message: object) => process.send?.(message);
const store = await SecretStore.open({
  secrets: Object.fromEntries(names.split(',').map((name) => [name, name])),
  sources: [mountedFiles(path, { pollIntervalMs: Number(pollIntervalMs) })],
  on: {
    error: ({ code }) => say({ error: code }),
    recovered: ({ code }) => say({ recovered: code }),
  },
});
store.on('change', ({ trigger, changes }) => {
  for (const { name } of changes) say({ name, value: store.reveal(name), trigger });
});
say({ open: true });
process.on('message', async () => {
  await store.close();
  say({ health: store.health().status });
  process.disconnect();
});
