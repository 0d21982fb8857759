import type { KeyVaultEmulatorOptions } from './options';
import type { KeyVaultEmulator } from './types';

/**
 * Starts a Key Vault and the Entra tenant in front of it, in this process and on 127.0.0.1, for tests with the real
 * clients of `@azure/identity` and `@azure/keyvault-secrets`: real names, TLS, the 401 challenge, workload identity and
 * paging. Every check of the clients stays on. Clients can only read; tests write through the emulator. Needs the optional
 * packages jose and node-forge.
 *
 * @example
 * ```ts
 * await using vault = await createKeyVaultEmulator({ secrets: { 'api-key': 'first' } });
 * const credential = new WorkloadIdentityCredential({ ...vault.workloadIdentity, agent: vault.agent });
 * const client = new SecretClient(vault.vaultUrl, credential, { agent: vault.agent });
 * await client.getSecret('api-key');
 * await vault.set('api-key', 'second');
 * vault.fail({ kind: 'throttled', times: 2 });
 * ```
 * @throws `PEER_MISSING`, `PEER_UNSUPPORTED`, `OPTION_UNKNOWN`, `OPTION_INVALID`, `NAME_INVALID`
 */
export async function createKeyVaultEmulator(options?: KeyVaultEmulatorOptions): Promise<KeyVaultEmulator> {
  // Tests of mounts do not load it.
  const { startEmulator } = await import('./start-emulator');
  return startEmulator(options);
}
