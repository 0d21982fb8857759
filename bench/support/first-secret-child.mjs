// Prints the milliseconds from the start of this process to its first secret, elapsed and of the processor. Arguments: `bare`
// or `store`, and the vault's URL.
const [side, vaultUrl] = process.argv.slice(2);

if (side === 'bare') {
  const { WorkloadIdentityCredential } = await import('@azure/identity');
  const { SecretClient } = await import('@azure/keyvault-secrets');
  const client = new SecretClient(vaultUrl, new WorkloadIdentityCredential());
  await client.getSecret('secret-0');
} else {
  const { SecretStore } = await import('../../dist/index.js');
  const { keyVault } = await import('../../dist/key-vault.js');
  const store = await SecretStore.open({ secrets: { one: 'secret-0' }, sources: [keyVault({ vaultUrl })] });
  store.reveal('one');
}
const { user, system } = process.cpuUsage();
console.log(JSON.stringify({ passedMs: performance.now(), processorMs: (user + system) / 1000 }));
process.exit();
