import { isSecretsError, SecretsError, type SecretsErrorCode } from '../../errors';
import { describeError } from '../../internal/describe-error';
import { OUTAGE } from './vault-errors';
import { readTokenFile, type TokenFacts, type TokenFile } from './workload-token';

/** The workload identity that tokens are asked for. */
export interface WorkloadIdentity {
  /** Default: `$AZURE_TENANT_ID`. */
  readonly tenantId?: string;
  /** Default: `$AZURE_CLIENT_ID`. */
  readonly clientId?: string;
  /** The projected service account token. Default: `$AZURE_FEDERATED_TOKEN_FILE`. */
  readonly tokenFilePath?: string;
}

const WEBHOOK =
  'Label the pod azure.workload.identity/use: "true" and annotate its service account azure.workload.identity/client-id: CLIENT_ID.';

/** Says why Entra ID gave no token, from its error number and from what the projected token says of itself. */
export function identityError(error: unknown, identity: WorkloadIdentity | undefined): SecretsError {
  if (isSecretsError(error)) return error;
  const tenant = tenantOfVault(error);
  if (tenant !== undefined) return ofOtherTenant(tenant);
  if (identity === undefined) return withoutWorkloadIdentity(error);
  const path = identity.tokenFilePath ?? '';
  const file = readTokenFile(path);
  if (file.state !== 'token') return brokenFile(path, file);
  const number = aadsts(error);
  const { facts } = file;
  switch (number) {
    case 700213:
    // It is known in other letter case.
    case 7002138:
    case 70021:
      return refused(
        'IDENTITY_SUBJECT_UNKNOWN',
        `no federated credential for the subject ${facts.subject}`,
        number,
        federate(facts),
      );
    case 700211:
      return refused(
        'IDENTITY_ISSUER_UNKNOWN',
        `no federated credential for the issuer ${facts.issuer}`,
        number,
        federate(facts),
      );
    case 700212: {
      const next =
        'The audience of a projected token is api://AzureADTokenExchange, unless the federated credential says otherwise.';
      return refused(
        'IDENTITY_AUDIENCE_UNKNOWN',
        `no federated credential for the audience ${facts.audience}`,
        number,
        next,
      );
    }
    case 700024: {
      const next =
        'Kubelet renews it in time: check the clocks, and that the file is the projected one and no copy.';
      const ended = facts.expiresAt?.toISOString() ?? '?';
      return refused(
        'IDENTITY_ASSERTION_EXPIRED',
        `the projected token has expired (at ${ended})`,
        number,
        next,
      );
    }
    case 700016:
    case 90002: {
      const next = `Compare with: az identity show --query "{client: clientId, tenant: tenantId}". ${WEBHOOK}`;
      const who = `client ${identity.clientId ?? '?'} in the tenant ${identity.tenantId ?? '?'}`;
      return refused('IDENTITY_UNKNOWN', `no ${who}`, number, next);
    }
    default:
      return failed(error, number);
  }
}

/** Variables that the webhook of workload identity should have set, if any are missing. */
export function identityProblem({
  tenantId,
  clientId,
  tokenFilePath,
}: WorkloadIdentity): SecretsError | undefined {
  const missing = [
    ...(tenantId ? [] : ['AZURE_TENANT_ID']),
    ...(clientId ? [] : ['AZURE_CLIENT_ID']),
    ...(tokenFilePath ? [] : ['AZURE_FEDERATED_TOKEN_FILE']),
  ];
  if (missing.length === 0) return undefined;
  return new SecretsError('IDENTITY_MISSING', `the workload identity lacks ${missing.join(', ')}`, {
    source: 'key-vault',
    next: WEBHOOK,
  });
}

/** What the credentials throw that found nothing in their surroundings. */
const UNAVAILABLE = ['CredentialUnavailableError', 'AggregateAuthenticationError'];

function withoutWorkloadIdentity(error: unknown): SecretsError {
  const number = aadsts(error);
  const { name = '' } = (error ?? {}) as { name?: string };
  if (number !== undefined || !UNAVAILABLE.includes(name)) return failed(error, number);
  return new SecretsError('IDENTITY_MISSING', `no credential gave a token: ${describeError(error)}`, {
    source: 'key-vault',
    next: `On a laptop: az login. In a pod: ${WEBHOOK}`,
  });
}

const BROKEN = {
  missing: 'does not exist',
  unreadable: 'may not be read',
  empty: 'is empty',
  'no token': 'holds no token',
} as const;

function brokenFile(path: string, { state }: Exclude<TokenFile, { readonly state: 'token' }>): SecretsError {
  return new SecretsError('IDENTITY_TOKEN_FILE', `the projected token ${path} ${BROKEN[state]}`, {
    source: 'key-vault',
    next: `${WEBHOOK} Kubelet writes the file before the container starts.`,
  });
}

function federate({ issuer, subject, audience }: TokenFacts): string {
  return (
    'Create it: az identity federated-credential create --name NAME --identity-name IDENTITY --resource-group GROUP ' +
    `--issuer ${issuer} --subject ${subject} --audiences ${audience}`
  );
}

function refused(code: SecretsErrorCode, what: string, number: number, next: string): SecretsError {
  const subject =
    code === 'IDENTITY_ASSERTION_EXPIRED' ? `Entra ID gives no token: ${what}` : `Entra ID knows ${what}`;
  return new SecretsError(code, `${subject} (AADSTS${number})`, { source: 'key-vault', next });
}

function failed(error: unknown, number: number | undefined): SecretsError {
  const kind = number === undefined ? describeError(error) : `AADSTS${number}`;
  return new SecretsError('IDENTITY_FAILED', `Entra ID gave no token: ${kind}`, {
    source: 'key-vault',
    next: `${OUTAGE} An AADSTS number is explained at https://login.microsoftonline.com/error`,
  });
}

function ofOtherTenant(tenant: string): SecretsError {
  const what = `the vault is of the tenant ${tenant}, and the identity of another one`;
  return new SecretsError('VAULT_UNAUTHORIZED', what, {
    source: 'key-vault',
    next: 'Annotate the service account azure.workload.identity/tenant-id with the tenant of the vault, or check vaultUrl.',
  });
}

/** The credential compares the tenants before it asks, and says the one that was asked for in its message alone. */
function tenantOfVault(error: unknown): string | undefined {
  const { name, message = '' } = (error ?? {}) as { name?: unknown; message?: string };
  if (name !== 'CredentialUnavailableError') return undefined;
  return /not configured to acquire tokens for tenant ([0-9a-f-]{36})\b/i.exec(message)?.[1];
}

/** The number is in the message alone; the message itself holds more than should be repeated. */
function aadsts(error: unknown): number | undefined {
  const digits = /AADSTS(\d{3,8})/.exec((error as Error | undefined)?.message ?? '')?.[1];
  return digits === undefined ? undefined : Number(digits);
}
