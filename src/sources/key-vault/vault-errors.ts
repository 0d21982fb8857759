import { isSecretsError, SecretsError, type SecretsErrorCode } from '../../errors';
import { describeError, errorCode } from '../../internal/describe-error';

/** The vault or secret that a request is about. */
export interface RequestTarget {
  /** `https://NAME.vault.azure.net`. */
  readonly vaultUrl: string;
  /** The name of the secret; `undefined` if the request is about the whole vault. */
  readonly secret?: string | undefined;
}

/** The parts of a `RestError` that are safe to read. Its message may contain response bodies, so it is never read. */
interface RestError {
  readonly name?: unknown;
  readonly code?: unknown;
  readonly statusCode?: unknown;
  readonly details?: { readonly error?: { readonly innerError?: { readonly code?: unknown } } };
  readonly response?: { readonly headers?: { get(name: string): string | undefined } };
}

/** Advice during an outage. It is also true if `open` fails, when no value was read before. */
export const OUTAGE = 'Values that were read before stay in use, and an open store retries.';

/** Explains why a request to the vault failed, and what to do. */
export function vaultError(error: unknown, target: RequestTarget, requestTimeoutMs: number): SecretsError {
  if (isSecretsError(error)) return error;
  const { name, code, statusCode } = (error ?? {}) as RestError;
  // A problem of the vault is one problem, so its error does not name a secret.
  const vault = { vaultUrl: target.vaultUrl };
  if (statusCode === 403) return forbidden(error as RestError, target);
  if (name === 'AbortError') {
    return failure('VAULT_TIMEOUT', vault, `did not answer within ${requestTimeoutMs} ms`, OUTAGE);
  }
  if (statusCode === 401) return unauthorized(vault);
  if (statusCode === 429) return throttled(target.vaultUrl);
  if (code === 'PARSE_ERROR') {
    const next = `Check whether a proxy answers instead of the vault. ${OUTAGE}`;
    return failure('VAULT_RESPONSE_INVALID', vault, 'sent an answer that is not JSON', next);
  }
  if (typeof statusCode === 'number' && statusCode >= 400) {
    return failure('VAULT_UNAVAILABLE', vault, `answered with status ${statusCode}`, OUTAGE);
  }
  return unreachable(vault, error);
}

export function throttled(vaultUrl: string): SecretsError {
  const next = `Raise refreshIntervalMs if this happens often. Requests pause for a while. ${OUTAGE}`;
  return failure('VAULT_THROTTLED', { vaultUrl }, 'throttles requests', next);
}

export function isNotFound(error: unknown): boolean {
  return (error as RestError | undefined)?.statusCode === 404;
}

export function isThrottled(error: unknown): boolean {
  return (error as RestError | undefined)?.statusCode === 429;
}

export function isUnauthorized(error: unknown): boolean {
  return (error as RestError | undefined)?.statusCode === 401;
}

/** Returns the wait from `Retry-After`, which is in seconds or a date, as milliseconds; `undefined` without the header. */
export function retryAfterMs(error: unknown, now: number): number | undefined {
  const header = (error as RestError | undefined)?.response?.headers?.get('retry-after');
  if (header === undefined || header === '') return undefined;
  const seconds = Number(header);
  const ms = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(header) - now;
  return Number.isFinite(ms) ? Math.max(0, ms) : undefined;
}

function unauthorized(vault: RequestTarget): SecretsError {
  const next = `Compare the tenant of the identity with that of the vault: az keyvault show --name ${nameOf(vault)} --query properties.tenantId`;
  return failure('VAULT_UNAUTHORIZED', vault, 'rejects the token', next);
}

/** Explains a 403. Only the inner code distinguishes the causes, and answers to a list have none. */
function forbidden(error: RestError, target: RequestTarget): SecretsError {
  const inner = error.details?.error?.innerError?.code;
  const vault = nameOf(target);
  if (inner === 'SecretDisabled') {
    const next = `Enable the secret: az keyvault secret set-attributes --vault-name ${vault} --name ${target.secret ?? 'NAME'} --enabled true`;
    return failure('VAULT_SECRET_DISABLED', target, 'says that the secret is disabled', next);
  }
  if (inner === 'ForbiddenByFirewall') {
    const next = `Allow the network of the pod: az keyvault network-rule add --name ${vault} --subnet SUBNET_ID, or use a private endpoint.`;
    const what = 'blocks the network of the request';
    return failure('VAULT_FIREWALL', { vaultUrl: target.vaultUrl }, what, next);
  }
  return denied(inner, target);
}

function denied(inner: unknown, target: RequestTarget): SecretsError {
  const vault = nameOf(target);
  const permission = target.secret === undefined ? 'list' : 'get';
  const role = `az role assignment create --role "Key Vault Secrets User" --assignee CLIENT_ID --scope $(az keyvault show --name ${vault} --query id -o tsv)`;
  const policy = `az keyvault set-policy --name ${vault} --secret-permissions ${permission} --spn CLIENT_ID`;
  const what =
    permission === 'get'
      ? 'denies the identity access to the secret'
      : 'denies the identity permission to list secrets';
  if (inner === 'ForbiddenByRbac') {
    return failure('VAULT_DENIED', target, `${what}: a role is missing`, `Assign the role: ${role}`);
  }
  const next =
    inner === 'AccessDenied'
      ? `Add the identity to the access policy: ${policy}`
      : `Assign the role: ${role} (or, if the vault uses access policies: ${policy})`;
  return failure('VAULT_DENIED', target, what, next);
}

function unreachable(vault: RequestTarget, error: unknown): SecretsError {
  const what = `cannot be reached: ${describeError(error)}`;
  const next =
    errorCode(error) === 'ENOTFOUND'
      ? `Check the name in ${vault.vaultUrl} and the DNS of the pod: the name does not resolve. A private endpoint needs its DNS zone. ${OUTAGE}`
      : OUTAGE;
  return failure('VAULT_UNAVAILABLE', vault, what, next);
}

function nameOf({ vaultUrl }: RequestTarget): string {
  return new URL(vaultUrl).hostname.split('.', 1)[0] as string;
}

function failure(
  code: SecretsErrorCode,
  { vaultUrl, secret }: RequestTarget,
  what: string,
  next: string,
): SecretsError {
  const requested = secret === undefined ? '' : ` (requested "${secret}")`;
  return new SecretsError(code, `the vault ${vaultUrl} ${what}${requested}`, {
    source: 'key-vault',
    secret,
    next,
  });
}
