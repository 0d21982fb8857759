import { closeSync, openSync } from 'node:fs';
import { mountedFiles, SecretStore } from '../../src/index';

// Takes every descriptor that its limit leaves, and prints what a refresh says then, and after they are free again.
const path = process.argv[2] as string;
const { watch: _, ...source } = mountedFiles(path);
const errors: object[] = [];
const store = await SecretStore.open({
  secrets: { token: 'token' },
  sources: [source],
  on: { error: ({ code, message }) => errors.push({ code, message }) },
});
const held: number[] = [];
try {
  for (;;) held.push(openSync('/dev/null', 'r'));
} catch {
  // The limit.
}
const before = store.reveal('token');
await store.refresh();
const during = store.reveal('token');
for (const descriptor of held) closeSync(descriptor);
await store.refresh();
process.stdout.write(JSON.stringify({ before, during, errors, status: store.health().status }));
await store.close();
