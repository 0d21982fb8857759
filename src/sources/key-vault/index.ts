export type { AzureIdentityModule, TokenCredential, WorkloadIdentity } from './credentials';
export { keyVault } from './key-vault';
export type { KeyVaultOptions } from './options';
export type { KeyVaultSecretsModule } from './vault-client';
