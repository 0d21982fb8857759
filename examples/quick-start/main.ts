// npx tsx examples/quick-start/main.ts: a mount, a store, three rotations, and one refused value.
import { mountedFiles, rotating, SecretStore, secret } from 'hot-secrets';
import { createTestMount } from 'hot-secrets/testing';

// A temporary directory, written as the Secrets Store CSI driver writes it.
await using mount = await createTestMount({ 'api-user': 'blue', 'api-key': 'key-of-blue' });

await using secrets = await SecretStore.open({
  secrets: { user: 'api-user', key: secret.text('api-key'), beta: secret.text('beta-token').optional() },
  sources: [mountedFiles(mount.path)],
});
secrets.on('change', ({ generation, trigger, changes }) => {
  const what = changes.map(({ kind, name, version }) => `${name} ${kind} (version ${version})`);
  console.log(`generation ${generation}, found by ${trigger}: ${what.join(', ')}`);
});
secrets.on('error', ({ code, message }) => console.log(`${code}: ${message}`));
secrets.on('recovered', ({ code }) => console.log(`recovered from ${code}`));

// A client that is rebuilt when one of its secrets rotates.
await using client = rotating(
  secrets,
  { build: (s) => ({ authorization: `${s.reveal('user')}:${s.reveal('key')}` }) },
  { name: 'client' },
);
await client.ready;
client.on('swapped', ({ generation }) => console.log(`the client uses generation ${generation}`));

console.log(`${secrets.get('key')} from ${secrets.get('key').source}, beta: ${secrets.get('beta')}`);

await mount.rotate({ 'api-user': 'green', 'api-key': 'key-of-green' });
await until(() => client.generation === 2);
await mount.rotate({ 'beta-token': 'token' });
await until(() => secrets.generation === 3);

// The user name and the key belong together: while one is bad, the store takes neither.
await mount.rotate({ 'api-user': 'blue', 'api-key': '' });
await until(() => secrets.health().status === 'degraded');
console.log(`still serving: ${secrets.redact(client.current.authorization)}`);
await mount.rotate({ 'api-key': 'another-key-of-blue' });
await until(() => client.generation === 4);

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 10));
}
