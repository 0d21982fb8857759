export type { AzureIdentityModule, TokenCredential, WorkloadIdentity } from '../key-vault/credentials';
export { type EntraTokenOptions, entraScopes, entraToken } from './entra-token';
export { type RdsSignerModule, type RdsTokenOptions, rdsToken } from './rds-token';
export { type FetchedToken, type FetchTokenOptions, token } from './token';
export type { TokenOptions } from './token-source';
