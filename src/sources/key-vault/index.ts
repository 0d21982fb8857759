export type { TokenCredential, WorkloadIdentity } from './credentials';
export { keyVault } from './key-vault';
export type { KeyVaultOptions } from './options';
