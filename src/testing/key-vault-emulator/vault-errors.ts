import type { HostResponse } from './server';

/** The details that errors of a vault contain. */
export interface VaultContext {
  readonly name: string;
  readonly tenantId: string;
  /** `appid=…;oid=…;iss=…`, as the service describes a caller. */
  readonly caller: string;
}

export const VAULT_RESOURCE = 'https://vault.azure.net';
export const REGION = 'westeurope';

/** The form of every error. The client exposes `innererror` as `innerError`. */
export function vaultError(status: number, code: string, message: string, innerCode?: string): HostResponse {
  const innererror = innerCode === undefined ? {} : { innererror: { code: innerCode } };
  return { status, body: { error: { code, message, ...innererror } } };
}

// The texts are the service's own, from its public recordings and from errors that users posted.

/** Includes the challenge of every 401: where to get a token, and for which resource. */
export function unauthorized(tenantId: string, message: string): HostResponse {
  const challenge = `Bearer authorization="https://login.microsoftonline.com/${tenantId}", resource="${VAULT_RESOURCE}"`;
  return { ...vaultError(401, 'Unauthorized', message), headers: { 'WWW-Authenticate': challenge } };
}

export function secretNotFound(id: string): HostResponse {
  return vaultError(
    404,
    'SecretNotFound',
    `A secret with (name/id) ${id} was not found in this key vault. If you recently deleted this secret you may be able ` +
      'to recover it using the correct recovery command. For help resolving this issue, please see ' +
      'https://go.microsoft.com/fwlink/?linkid=2125182',
  );
}

export function secretDisabled(): HostResponse {
  return vaultError(403, 'Forbidden', 'Operation get is not allowed on a disabled secret.', 'SecretDisabled');
}

export function forbiddenByRbac({ name, caller }: VaultContext, secret: string | undefined): HostResponse {
  const action = secret === undefined ? 'readMetadata' : 'getSecret';
  const resource =
    '/subscriptions/00000000-0000-4000-8000-000000000003/resourcegroups/emulator/providers/microsoft.keyvault' +
    `/vaults/${name}${secret === undefined ? '' : `/secrets/${secret}`}`;
  return vaultError(
    403,
    'Forbidden',
    'Caller is not authorized to perform action on resource.\r\nIf role assignments, deny assignments or role ' +
      'definitions were changed recently, please observe propagation time.\r\n' +
      `Caller: ${caller}\r\nAction: 'Microsoft.KeyVault/vaults/secrets/${action}/action'\r\n` +
      `Resource: '${resource}'\r\nAssignment: (not found)\r\nDenyAssignmentId: null\r\nDecisionReason: 'DeniedWithNoValidRBAC' \r\n` +
      `Vault: ${name};location=${REGION}\r\n`,
    'ForbiddenByRbac',
  );
}

export function forbiddenByFirewall({ name, caller }: VaultContext): HostResponse {
  return vaultError(
    403,
    'Forbidden',
    'Client address is not authorized and caller is not a trusted service.\r\nClient address: 127.0.0.1\r\n' +
      `Caller: ${caller}\r\nVault: ${name};location=${REGION}`,
    'ForbiddenByFirewall',
  );
}

export function forbiddenByConnection(): HostResponse {
  return vaultError(
    403,
    'Forbidden',
    'Public network access is disabled and request is not from a trusted service nor via an approved private link.',
    'ForbiddenByConnection',
  );
}

export function forbiddenByPolicy({ name, caller }: VaultContext, secret: string | undefined): HostResponse {
  return vaultError(
    403,
    'Forbidden',
    `The user, group or application '${caller}' does not have secrets ${secret === undefined ? 'list' : 'get'} ` +
      `permission on key vault '${name};location=${REGION}'. For help resolving this issue, please see ` +
      'https://go.microsoft.com/fwlink/?linkid=2125287',
    'AccessDenied',
  );
}

export function throttled(): HostResponse {
  return vaultError(
    429,
    'Throttled',
    'Request was not processed because too many requests were received. Reason: VaultRequestTypeLimitReached',
  );
}

export function tokenExpired(tenantId: string): HostResponse {
  return unauthorized(tenantId, "[TokenExpired] Error validating token: 'S2S12086'.");
}

/** The only text here that is not from a recording. */
export function unavailable(status: number): HostResponse {
  return vaultError(status, 'ServiceUnavailable', 'The service is unavailable.');
}
