import { isSecretsError, SecretsError, type SecretsErrorCode } from '../../errors';
import { describeError } from '../../internal/describe-error';
import {
  LABEL_THE_POD,
  readTokenFile,
  type TokenFacts,
  type TokenFile,
  type WorkloadIdentity,
} from './credentials';
import { OUTAGE } from './vault-errors';

/** Explains why Entra ID issued no token, from its error number and the claims of the projected token. */
export function identityError(error: unknown, identity: WorkloadIdentity | undefined): SecretsError {
  if (isSecretsError(error)) return error;
  const tenant = tenantOfVault(error);
  if (tenant !== undefined) return tenantMismatch(tenant);
  if (identity === undefined) return noWorkloadIdentity(error);
  const path = identity.tokenFilePath ?? '';
  const file = readTokenFile(path);
  if (file.state !== 'token') return brokenTokenFile(path, file);
  const number = aadsts(error);
  return number === undefined ? noToken(describeError(error)) : refusal(number, identity, file.facts);
}

/** Explains the error numbers of misconfigured workload identities. */
function refusal(number: number, identity: WorkloadIdentity, facts: TokenFacts): SecretsError {
  switch (number) {
    case 700213:
    // The subject matches only if case is ignored.
    case 7002138:
    case 70021: {
      const what = `no federated credential for the subject ${facts.subject}`;
      return unknownTo(number, 'IDENTITY_SUBJECT_UNKNOWN', what, createFederatedCredential(facts));
    }
    case 700211: {
      const what = `no federated credential for the issuer ${facts.issuer}`;
      return unknownTo(number, 'IDENTITY_ISSUER_UNKNOWN', what, createFederatedCredential(facts));
    }
    case 700212: {
      const what = `no federated credential for the audience ${facts.audience}`;
      const next =
        'Give the projected token the audience of the federated credential, usually api://AzureADTokenExchange.';
      return unknownTo(number, 'IDENTITY_AUDIENCE_UNKNOWN', what, next);
    }
    case 700016:
    case 90002: {
      const what = `no client ${identity.clientId ?? '?'} in the tenant ${identity.tenantId ?? '?'}`;
      const next = `Compare with: az identity show --query "{client: clientId, tenant: tenantId}". ${LABEL_THE_POD}`;
      return unknownTo(number, 'IDENTITY_UNKNOWN', what, next);
    }
    case 700024: {
      const expiredAt = facts.expiresAt?.toISOString() ?? '?';
      const what = `Entra ID issued no token: the projected token expired at ${expiredAt} (AADSTS${number})`;
      const next =
        'Check the clocks, and that the path is the projected file, not a copy. Kubelet replaces that file in time.';
      return failure('IDENTITY_ASSERTION_EXPIRED', what, next);
    }
    default:
      return noToken(`AADSTS${number}`);
  }
}

/** Errors of credentials that are not configured. */
const UNAVAILABLE = ['CredentialUnavailableError', 'AggregateAuthenticationError'];

function noWorkloadIdentity(error: unknown): SecretsError {
  const number = aadsts(error);
  if (number !== undefined) return noToken(`AADSTS${number}`);
  const { name = '' } = (error ?? {}) as { name?: string };
  if (!UNAVAILABLE.includes(name)) return noToken(describeError(error));
  const what = `no credential returned a token: ${describeError(error)}`;
  return failure('IDENTITY_MISSING', what, `On a laptop: az login. In a pod: ${LABEL_THE_POD}`);
}

const BROKEN = {
  missing: 'does not exist',
  unreadable: 'cannot be read',
  empty: 'is empty',
  'no token': 'is not a token',
} as const;

function brokenTokenFile(
  path: string,
  { state }: Exclude<TokenFile, { readonly state: 'token' }>,
): SecretsError {
  const next = `${LABEL_THE_POD} Kubelet writes the file before the container starts.`;
  return failure('IDENTITY_TOKEN_FILE', `the projected token ${path} ${BROKEN[state]}`, next);
}

function createFederatedCredential({ issuer, subject, audience }: TokenFacts): string {
  return (
    'Create it: az identity federated-credential create --name NAME --identity-name IDENTITY --resource-group GROUP ' +
    `--issuer ${issuer} --subject ${subject} --audiences ${audience}`
  );
}

function tenantMismatch(tenant: string): SecretsError {
  const next =
    'Check vaultUrl, or annotate the service account azure.workload.identity/tenant-id: TENANT_OF_THE_VAULT.';
  const what = `the vault belongs to the tenant ${tenant}, but the identity to another tenant`;
  return failure('VAULT_UNAUTHORIZED', what, next);
}

function unknownTo(number: number, code: SecretsErrorCode, what: string, next: string): SecretsError {
  return failure(code, `Entra ID has ${what} (AADSTS${number})`, next);
}

function noToken(kind: string): SecretsError {
  const next = `Look up an AADSTS number at https://login.microsoftonline.com/error. ${OUTAGE}`;
  return failure('IDENTITY_FAILED', `Entra ID issued no token: ${kind}`, next);
}

function failure(code: SecretsErrorCode, what: string, next: string): SecretsError {
  return new SecretsError(code, what, { source: 'key-vault', next });
}

/** Returns the vault's tenant. The credential compares tenants before its request, and names it only in its message. */
function tenantOfVault(error: unknown): string | undefined {
  const { name, message = '' } = (error ?? {}) as { name?: unknown; message?: string };
  if (name !== 'CredentialUnavailableError') return undefined;
  return /not configured to acquire tokens for tenant ([0-9a-f-]{36})\b/i.exec(message)?.[1];
}

/** Returns the error number from the message. The rest of the message must not be repeated. */
function aadsts(error: unknown): number | undefined {
  const digits = /AADSTS(\d{3,8})/.exec((error as Error | undefined)?.message ?? '')?.[1];
  return digits === undefined ? undefined : Number(digits);
}
