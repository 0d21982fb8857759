import { isSecretsError, SecretsError, type SecretsErrorCode } from '../../errors';
import { describeError, errorCode } from '../../internal/describe-error';

/** Where an error came up. */
export interface VaultPlace {
  /** `https://NAME.vault.azure.net`. */
  readonly vaultUrl: string;
  /** Name of the secret, where one was asked for. */
  readonly secret?: string;
}

/** The parts of a `RestError` of the Azure clients that are read. Its message holds response bodies, and is not. */
interface RestError {
  readonly name?: unknown;
  readonly code?: unknown;
  readonly statusCode?: unknown;
  readonly details?: { readonly error?: { readonly innerError?: { readonly code?: unknown } } };
  readonly response?: { readonly headers?: { get(name: string): string | undefined } };
}

/** Also true of an `open` that fails, which has nothing to serve. */
export const OUTAGE = 'What was read before keeps serving, and an open store asks again.';

/** Says what a request to the vault failed with, what it means and what to do. */
export function vaultError(error: unknown, asked: VaultPlace, requestTimeoutMs: number): SecretsError {
  if (isSecretsError(error)) return error;
  const { name, code, statusCode } = (error ?? {}) as RestError;
  // What is wrong with the vault is one problem, whichever secret met it first.
  const place = { vaultUrl: asked.vaultUrl };
  if (statusCode === 403) return forbidden(error as RestError, asked);
  if (name === 'AbortError') {
    return failure('VAULT_TIMEOUT', place, `did not answer within ${requestTimeoutMs} ms`, OUTAGE);
  }
  if (statusCode === 401) return unauthorized(place);
  if (statusCode === 429) return throttled(asked.vaultUrl);
  if (code === 'PARSE_ERROR') {
    const next = `A proxy on the way may answer in its place. ${OUTAGE}`;
    return failure('VAULT_RESPONSE_INVALID', place, 'answered with something that is no JSON', next);
  }
  if (typeof statusCode === 'number' && statusCode >= 400) {
    return failure('VAULT_UNAVAILABLE', place, `answered with status ${statusCode}`, OUTAGE);
  }
  return failure('VAULT_UNAVAILABLE', place, `is out of reach: ${describeError(error)}`, reach(place, error));
}

export function throttled(vaultUrl: string): SecretsError {
  const next = `It is left alone for a while. ${OUTAGE} Raise refreshIntervalMs where this happens often.`;
  return failure('VAULT_THROTTLED', { vaultUrl }, 'says that it gets too many requests', next);
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

/** Milliseconds of `Retry-After`, in seconds or as a date; `undefined` for none. */
export function retryAfterMs(error: unknown, now: number): number | undefined {
  const header = (error as RestError | undefined)?.response?.headers?.get('retry-after');
  if (header === undefined || header === '') return undefined;
  const seconds = Number(header);
  const ms = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(header) - now;
  return Number.isFinite(ms) ? Math.max(0, ms) : undefined;
}

function unauthorized(place: VaultPlace): SecretsError {
  const next = `Its tenant may be another one than that of the identity: az keyvault show --name ${nameOf(place)} --query properties.tenantId`;
  return failure('VAULT_UNAUTHORIZED', place, 'does not take the token', next);
}

/** Told apart only by the inner code, which an answer to a list does not have. */
function forbidden(error: RestError, place: VaultPlace): SecretsError {
  const inner = error.details?.error?.innerError?.code;
  const vault = nameOf(place);
  if (inner === 'SecretDisabled') {
    const next = `Enable it: az keyvault secret set-attributes --vault-name ${vault} --name ${place.secret ?? 'NAME'} --enabled true`;
    return failure('VAULT_SECRET_DISABLED', place, 'says that the secret is disabled', next);
  }
  if (inner === 'ForbiddenByFirewall') {
    const next = `Let the network of the pod in: az keyvault network-rule add --name ${vault} --subnet SUBNET_ID, or use a private endpoint.`;
    const what = 'refuses the network that the request comes from';
    return failure('VAULT_FIREWALL', { vaultUrl: place.vaultUrl }, what, next);
  }
  const right = place.secret === undefined ? 'list' : 'get';
  const role = `az role assignment create --role "Key Vault Secrets User" --assignee CLIENT_ID --scope $(az keyvault show --name ${vault} --query id -o tsv)`;
  const policy = `az keyvault set-policy --name ${vault} --secret-permissions ${right} --spn CLIENT_ID`;
  const denied =
    right === 'get' ? 'denies the identity the secret' : 'denies the identity the list of its secrets';
  if (inner === 'ForbiddenByRbac') {
    return failure('VAULT_DENIED', place, `${denied}, for lack of a role`, `Give it the role: ${role}`);
  }
  const next =
    inner === 'AccessDenied'
      ? `Add to its access policy: ${policy}`
      : `Give it the role: ${role} ; or, where the vault has access policies: ${policy}`;
  return failure('VAULT_DENIED', place, denied, next);
}

function reach({ vaultUrl }: VaultPlace, error: unknown): string {
  if (errorCode(error) !== 'ENOTFOUND') return OUTAGE;
  return `The name is not known: check ${vaultUrl}, and the DNS of the pod (a private endpoint needs its zone). ${OUTAGE}`;
}

function nameOf({ vaultUrl }: VaultPlace): string {
  return new URL(vaultUrl).hostname.split('.', 1)[0] as string;
}

function failure(code: SecretsErrorCode, place: VaultPlace, what: string, next: string): SecretsError {
  const asked = place.secret === undefined ? '' : ` (asked for "${place.secret}")`;
  return new SecretsError(code, `the vault ${place.vaultUrl} ${what}${asked}`, {
    source: 'key-vault',
    next,
    ...(place.secret === undefined ? {} : { secret: place.secret }),
  });
}
