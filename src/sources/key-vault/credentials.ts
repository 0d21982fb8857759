import { loadPeer } from '../../internal/peer';
import type { ClientOptions } from './connections';
import { identityProblem, type WorkloadIdentity } from './identity-errors';
import type { TokenCredential } from './token-cache';

type Made = new (options: object) => TokenCredential;

/** The workload identity of this pod; `undefined` where there is none. @throws `IDENTITY_MISSING` for a part of one. */
export function workloadIdentityOf(given: WorkloadIdentity | undefined): WorkloadIdentity | undefined {
  const { AZURE_TENANT_ID, AZURE_CLIENT_ID, AZURE_FEDERATED_TOKEN_FILE } = process.env;
  if (given === undefined && !AZURE_FEDERATED_TOKEN_FILE) return undefined;
  const identity = {
    tenantId: given?.tenantId ?? AZURE_TENANT_ID ?? '',
    clientId: given?.clientId ?? AZURE_CLIENT_ID ?? '',
    tokenFilePath: given?.tokenFilePath ?? AZURE_FEDERATED_TOKEN_FILE ?? '',
  };
  const problem = identityProblem(identity);
  if (problem !== undefined) throw problem;
  return identity;
}

/**
 * In a pod, exactly its identity: `DefaultAzureCredential` would go on to start az, pwsh and azd when that fails.
 * @throws `PEER_MISSING`
 */
export function createCredential(
  identity: WorkloadIdentity | undefined,
  options: ClientOptions,
): TokenCredential {
  const { DefaultAzureCredential, WorkloadIdentityCredential } =
    loadPeer<Record<'DefaultAzureCredential' | 'WorkloadIdentityCredential', Made>>('@azure/identity');
  if (identity === undefined) return new DefaultAzureCredential(options);
  return new WorkloadIdentityCredential({ ...identity, ...options });
}
