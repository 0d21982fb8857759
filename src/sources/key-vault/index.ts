export type { WorkloadIdentity } from './identity-errors';
export { keyVault } from './key-vault';
export type { KeyVaultOptions } from './options';
export type { TokenCredential } from './token-cache';
