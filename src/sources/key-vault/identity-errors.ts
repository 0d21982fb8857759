import { isSecretsError, SecretsError, type SecretsErrorCode } from '../../errors';
import { describeError, errorCode } from '../../internal/describe-error';
import { StrangeAnswer } from './answers';
import { type FailedRequest, proxyRefused, untrustedServer } from './connection-errors';
import {
  BROKEN_TOKEN_FILE,
  LABEL_THE_POD,
  readTokenFile,
  type TokenFacts,
  type TokenFile,
  type WorkloadIdentity,
} from './credentials';
import { oauthRefusal, refusalOf } from './entra-numbers';

/** Explains why a credential returned no token, from its error, its failed requests and the projected token. */
export function identityError(
  error: unknown,
  identity: WorkloadIdentity | undefined,
  failed: readonly FailedRequest[] = [],
): SecretsError {
  if (isSecretsError(error)) return error;
  const tenant = tenantOfVault(error);
  if (tenant !== undefined) return tenantMismatch(tenant);
  const path = identity?.tokenFilePath;
  const file = path === undefined ? undefined : readTokenFile(path);
  if (path !== undefined && file !== undefined && file.state !== 'token') return brokenTokenFile(path, file);
  const number = aadsts(error);
  const facts = file?.state === 'token' ? file.facts : undefined;
  if (number !== undefined) return refusal(number, messageOf(error), identity, facts);
  const last = failed.at(-1);
  return (last && requestFailed(last)) ?? (identity === undefined ? noCredential(error) : noToken(error));
}

/** Explains a failure below Entra ID: of the network, a proxy, or TLS. */
function requestFailed({ error, host }: FailedRequest): SecretsError | undefined {
  if (isSecretsError(error)) return error;
  if (error instanceof StrangeAnswer) {
    const { statusCode, received } = error;
    if (statusCode === 407) return proxyRefused('The proxy', statusCode, host);
    const what = `${host} sent an answer that is not of Entra ID: status ${statusCode} with ${received}`;
    return failure('IDENTITY_FAILED', what, 'Check whether a proxy answers instead of Entra ID.');
  }
  const untrusted = untrustedServer(error, host);
  if (untrusted !== undefined) return untrusted;
  const code = errorCode(error);
  if (code === undefined || !/^E[A-Z_]+$/.test(code)) return undefined;
  const what = `Entra ID issued no token: ${host} cannot be reached (${code})`;
  return failure('IDENTITY_FAILED', what, `Check the network and the DNS of the pod: it needs ${host}.`);
}

function refusal(
  number: number,
  message: string,
  identity: WorkloadIdentity | undefined,
  facts: TokenFacts | undefined,
): SecretsError {
  if (identity !== undefined && facts !== undefined) {
    const known = refusedIdentity(number, identity, facts);
    if (known !== undefined) return known;
  }
  const known = refusalOf(number);
  const oauth = oauthRefusal(number, message);
  const code = known === undefined && oauth === undefined ? 'IDENTITY_FAILED' : 'IDENTITY_REFUSED';
  const said = known === undefined ? `AADSTS${number}${oauth === undefined ? '' : `, ${oauth}`}` : '';
  const what = `Entra ID issued no token: ${known === undefined ? said : `${known.what} (AADSTS${number})`}`;
  return failure(
    code,
    what,
    known?.next ?? `The number is explained at https://login.microsoftonline.com/error?code=${number}`,
  );
}

/** Explains the numbers that mean a workload identity with a wrong set-up. */
function refusedIdentity(
  number: number,
  identity: WorkloadIdentity,
  facts: TokenFacts,
): SecretsError | undefined {
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
    case 700024:
      return outsideItsTime(number, facts);
    default:
      return undefined;
  }
}

function outsideItsTime(number: number, { validFrom, expiresAt }: TokenFacts): SecretsError {
  const now = new Date();
  const skew = (what: string) => {
    const next = `The clock of the pod says ${now.toISOString()}. Compare the clocks of the node and of the cluster with the actual time.`;
    return failure('IDENTITY_CLOCK_SKEW', `Entra ID issued no token: ${what} (AADSTS${number})`, next);
  };
  if (validFrom !== undefined && validFrom > now) {
    return skew(`the projected token is valid only from ${validFrom.toISOString()}`);
  }
  if (expiresAt !== undefined && expiresAt > now) {
    return skew(
      `it does not accept the times of the projected token, which is valid until ${expiresAt.toISOString()} by the clock of the pod`,
    );
  }
  const what = `Entra ID issued no token: the projected token expired at ${expiresAt?.toISOString() ?? '?'} (AADSTS${number})`;
  const next =
    'Check the clocks, and that the path is the projected file, not a copy. Kubelet replaces that file in time.';
  return failure('IDENTITY_ASSERTION_EXPIRED', what, next);
}

/** Explains that a credential of this kind returned no token for `resource` in time. */
export function tokenTimeout(
  kind: 'workload' | 'default' | 'given',
  timeoutMs: number,
  code: 'VAULT_TIMEOUT' | 'TOKEN_TIMEOUT' = 'VAULT_TIMEOUT',
  resource = 'https://vault.azure.net',
): SecretsError {
  if (kind === 'workload') {
    const next = 'Check that the pod reaches login.microsoftonline.com.';
    return failure(code, `Entra ID issued no token within ${timeoutMs} ms`, next);
  }
  if (kind === 'given') {
    const next = 'Check what the credential waits for, and that login.microsoftonline.com can be reached.';
    return failure(code, `the option credential returned no token within ${timeoutMs} ms`, next);
  }
  const next =
    `Measure the tool that you use: time az account get-access-token --resource ${resource}. To try no other ` +
    'credential before it, set AZURE_TOKEN_CREDENTIALS, for example to AzureCliCredential or ManagedIdentityCredential. With ' +
    'HTTPS_PROXY, exclude the endpoint of managed identities: NO_PROXY=169.254.169.254.';
  return failure(code, `DefaultAzureCredential returned no token within ${timeoutMs} ms`, next);
}

/** Errors of credentials that are not configured. */
const UNAVAILABLE = ['CredentialUnavailableError', 'AggregateAuthenticationError'];

/** Explains why none of the credentials that `DefaultAzureCredential` tries has a token. */
function noCredential(error: unknown): SecretsError {
  const message = messageOf(error);
  if (message.includes('AZURE_TOKEN_CREDENTIALS')) {
    const what =
      'the variable AZURE_TOKEN_CREDENTIALS does not name a credential, or not one that is configured';
    const next = `Remove it, or set it to dev, prod, or one of: ${CREDENTIALS.join(', ')}.`;
    return failure('IDENTITY_MISSING', what, next);
  }
  const { name = '' } = (error ?? {}) as { name?: string };
  if (!UNAVAILABLE.includes(name)) return noToken(error);
  const tried = triedBy(error);
  const list = tried.length === 0 ? '' : ` (tried: ${tried.join(', ')})`;
  if (
    /identity (was )?not (be )?found|no (assigned|managed) .*identity|identity (isn't|is not) assigned/i.test(
      message,
    )
  ) {
    const what = `the managed identity is not assigned to this machine${list}`;
    const next =
      'Assign it, for example: az vm identity assign --identities IDENTITY_ID. If the machine has several, set AZURE_CLIENT_ID to ' +
      'the client id of one that is assigned.';
    return failure('IDENTITY_MISSING', what, next);
  }
  const next = `On a laptop: az login. In a pod: ${LABEL_THE_POD}`;
  return failure(
    'IDENTITY_MISSING',
    `no credential returned a token: ${list === '' ? describeError(error) : list.trim()}`,
    next,
  );
}

const CREDENTIALS = [
  'EnvironmentCredential',
  'WorkloadIdentityCredential',
  'ManagedIdentityCredential',
  'VisualStudioCodeCredential',
  'AzureCliCredential',
  'AzurePowerShellCredential',
  'AzureDeveloperCliCredential',
];

/** The credentials that failed. Each begins its message with its name. */
function triedBy(error: unknown): string[] {
  const message = messageOf(error);
  return CREDENTIALS.filter((name) => message.includes(`${name}:`));
}

function messageOf(error: unknown): string {
  const { message } = (error ?? {}) as { message?: unknown };
  return typeof message === 'string' ? message : '';
}

function brokenTokenFile(
  path: string,
  { state }: Exclude<TokenFile, { readonly state: 'token' }>,
): SecretsError {
  const next = `${LABEL_THE_POD} Kubelet writes the file before the container starts.`;
  return failure('IDENTITY_TOKEN_FILE', `the projected token ${path} ${BROKEN_TOKEN_FILE[state]}`, next);
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

/** Tells what was received, without advice that may be wrong. */
function noToken(error: unknown): SecretsError {
  const oauth = oauthRefusal(undefined, messageOf(error));
  if (oauth !== undefined && !UNAVAILABLE.includes((error as Error).name)) {
    const next = 'The sign-in log of Entra ID has the details of this error of OAuth.';
    return failure('IDENTITY_REFUSED', `Entra ID issued no token: ${oauth}`, next);
  }
  const what = `Entra ID issued no token: ${describeError(error)}`;
  return failure(
    'IDENTITY_FAILED',
    what,
    'The log of @azure/identity has the details: AZURE_LOG_LEVEL=verbose.',
  );
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
  const digits = /AADSTS(\d{3,8})/.exec(messageOf(error))?.[1];
  return digits === undefined ? undefined : Number(digits);
}
