// npx tsx examples/key-vault/main.ts: secrets read directly from Key Vault, here from a local emulator.
import { setTimeout as sleep } from 'node:timers/promises';
import { environment, SecretStore, secret } from 'hot-secrets';
import { keyVault } from 'hot-secrets/key-vault';
import { createKeyVaultEmulator } from 'hot-secrets/testing';

// In a pod this is the real vault: keyVault({ vaultUrl: 'https://shop.vault.azure.net' }).
await using vault = await createKeyVaultEmulator({ name: 'shop', secrets: { 'api-key': 'first' } });
vault.set('database', 'p1', { tags: { user: 'app_blue' } });

await using secrets = await SecretStore.open({
  secrets: {
    apiKey: 'api-key',
    database: secret.text('database'),
    region: secret.text('region').optional(), // not in the vault, so it comes from the environment
  },
  sources: [keyVault(vault.options), environment({ REGION: 'westeurope' })],
});
secrets.on('change', ({ generation, trigger, changes }) => {
  const names = changes.map(({ name }) => name).join(', ');
  console.log(`generation ${generation}, found by ${trigger}: ${names}`);
});
secrets.on('error', ({ code }) => console.log(code));
secrets.on('recovered', ({ code }) => console.log(`recovered from ${code}`));

for (const { name, source, origin } of secrets.report().secrets)
  console.log(`${name} is from ${source}: ${origin}`);
tell();

// Two credentials that alternate. The user name is a tag of the password's version, so both change together.
vault.set('database', 'p2', { tags: { user: 'app_green' } });
await secrets.refresh();
tell();

// When the vault throttles requests, the store waits for a while and keeps serving the last good values.
const lift = vault.fail({ kind: 'throttled' });
await secrets.refresh();
tell();
lift();
while (secrets.health().status !== 'ok') {
  await sleep(100);
  await secrets.refresh();
}
tell();

function tell(): void {
  const s = secrets.snapshot();
  const { version, attributes } = s.get('database');
  console.log(
    `${attributes.tags.user} logs in with version ${version.slice(0, 6)}, health is ${secrets.health().status}`,
  );
}
