import { isSecretsError, SecretsError, type SecretsErrorCode } from '../../errors';
import { describeError, errorCode } from '../../internal/describe-error';
import { StrangeAnswer } from './answers';
import { proxyRefused, untrustedServer } from './connection-errors';

/** The vault or secret that a request is about. */
export interface RequestTarget {
  /** `https://NAME.vault.azure.net`. */
  readonly vaultUrl: string;
  /** The name of the secret; `undefined` if the request is about the whole vault. */
  readonly secret?: string | undefined;
}

/** The parts of a `RestError` that are safe to read. Its message may contain response bodies, so it is never repeated. */
interface RestError {
  readonly name?: unknown;
  readonly code?: unknown;
  readonly statusCode?: unknown;
  readonly details?: {
    readonly error?: { readonly message?: unknown; readonly innerError?: { readonly code?: unknown } };
  };
  readonly response?: { readonly headers?: { get(name: string): string | undefined } };
}

/** Explains why a request to the vault failed, and what to do. */
export function vaultError(error: unknown, target: RequestTarget, requestTimeoutMs: number): SecretsError {
  if (isSecretsError(error)) return error;
  // A problem of the vault is one problem, so its error does not name a secret.
  const vault = { vaultUrl: target.vaultUrl };
  const { name, code, statusCode } = (error ?? {}) as RestError;
  if (name === 'AbortError') {
    const next = `Check the network between the pod and ${hostOf(vault)}, or raise requestTimeoutMs.`;
    return failure('VAULT_TIMEOUT', vault, `did not answer within ${requestTimeoutMs} ms`, next);
  }
  if (statusCode === 429) return throttled(target.vaultUrl);
  if (error instanceof StrangeAnswer) return strange(error, vault);
  if (statusCode === 403) return forbidden(error as RestError, target);
  if (statusCode === 401) return unauthorized(vault);
  if (code === 'PARSE_ERROR') return notOfVault(vault, 'JSON that cannot be parsed');
  if (statusCode === 404) return notOfVault(vault, 'status 404 without the code SecretNotFound');
  if (typeof statusCode === 'number' && statusCode >= 400) {
    return failure('VAULT_UNAVAILABLE', vault, `answered with status ${statusCode}`, WAIT);
  }
  if (isOfOtherResource(error)) return wrongAddress(vault);
  return unreachable(vault, error);
}

/** Advice if the vault itself has a problem. */
const WAIT = 'Check the status of Azure if this lasts.';

function strange({ statusCode, received }: StrangeAnswer, vault: RequestTarget): SecretsError {
  if (statusCode === 407) return proxyRefused('The proxy', statusCode, hostOf(vault));
  const answer = `status ${statusCode} with ${received}`;
  if (statusCode < 500 && statusCode !== 408) return notOfVault(vault, answer);
  const what = `answered with ${answer}`;
  return failure('VAULT_UNAVAILABLE', vault, what, `Check the proxies on the way. ${WAIT}`);
}

function notOfVault(vault: RequestTarget, received: string): SecretsError {
  const what = `sent an answer that is not JSON of a vault: ${received}`;
  const next = `Check vaultUrl (https://NAME.vault.azure.net), and whether a proxy answers instead of the vault.`;
  return failure('VAULT_RESPONSE_INVALID', vault, what, next);
}

/** True if the client refuses the challenge: the vault knows itself by another name. Only the message says so. */
function isOfOtherResource(error: unknown): boolean {
  const { message } = (error ?? {}) as { message?: unknown };
  return typeof message === 'string' && message.includes('does not match the requested domain');
}

function wrongAddress({ vaultUrl }: RequestTarget): SecretsError {
  const what = `keyVault: \`vaultUrl\` is ${vaultUrl}, but the vault knows itself by another name`;
  return new SecretsError('OPTION_INVALID', what, {
    source: 'key-vault',
    next:
      'Use https://NAME.vault.azure.net. It leads to a private endpoint too if the DNS of the pod has its zone. If another ' +
      'name is needed, pass clientOptions: { disableChallengeResourceVerification: true }.',
  });
}

export function throttled(vaultUrl: string): SecretsError {
  const next = 'Raise refreshIntervalMs if this happens often. Requests pause for a while.';
  return failure('VAULT_THROTTLED', { vaultUrl }, 'throttles requests', next);
}

/** True if the vault says that it lacks the secret. Any server says 404 to a path that it does not know. */
export function isNotFound(error: unknown): boolean {
  const { statusCode, code } = (error ?? {}) as RestError;
  return statusCode === 404 && code === 'SecretNotFound';
}

export function isThrottled(error: unknown): boolean {
  return (error as RestError | undefined)?.statusCode === 429;
}

export function isUnauthorized(error: unknown): boolean {
  return (error as RestError | undefined)?.statusCode === 401 && !(error instanceof StrangeAnswer);
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
  const { innerError, message } = error.details?.error ?? {};
  const inner = isCode(innerError?.code) ? innerError.code : undefined;
  const vault = nameOf(target);
  if (inner === 'SecretDisabled') {
    const next = `Enable the secret: az keyvault secret set-attributes --vault-name ${vault} --name ${target.secret ?? 'NAME'} --enabled true`;
    return failure('VAULT_SECRET_DISABLED', target, 'says that the secret is disabled', next);
  }
  const blocked = (what: string, next: string) =>
    failure('VAULT_FIREWALL', { vaultUrl: target.vaultUrl }, what, next);
  if (inner === 'ForbiddenByFirewall') {
    const next = `Allow the network of the pod: az keyvault network-rule add --name ${vault} --subnet SUBNET_ID, or use a private endpoint.`;
    return blocked('blocks the network of the request', next);
  }
  if (inner === 'ForbiddenByConnection' || /public network access is disabled/i.test(String(message))) {
    const next = `Use its private endpoint: in the pod, ${hostOf(target)} must resolve to a private address, which takes its private DNS zone. Or allow public access: az keyvault update --name ${vault} --public-network-access Enabled`;
    return blocked('accepts no request from a public network', next);
  }
  if (inner !== undefined && /perimeter|nsp/i.test(inner)) {
    const next = 'Add an inbound access rule for the network of the pod to the perimeter of the vault.';
    return blocked('is behind a network security perimeter, which blocks the request', next);
  }
  return denied(inner, target);
}

function denied(inner: string | undefined, target: RequestTarget): SecretsError {
  const vault = nameOf(target);
  const permission = target.secret === undefined ? 'list' : 'get';
  const role = `az role assignment create --role "Key Vault Secrets User" --assignee CLIENT_ID --scope $(az keyvault show --name ${vault} --query id -o tsv)`;
  const policy = `az keyvault set-policy --name ${vault} --secret-permissions ${permission} --spn CLIENT_ID`;
  const what =
    permission === 'get'
      ? 'denies the identity access to the secret'
      : 'denies the identity permission to list secrets';
  switch (inner) {
    case 'ForbiddenByRbac':
      return failure('VAULT_DENIED', target, `${what}: a role is missing`, `Assign the role: ${role}`);
    case 'AccessDenied':
      return failure('VAULT_DENIED', target, what, `Add the identity to the access policy: ${policy}`);
    case undefined: {
      const next = `Assign the role: ${role} (or, if the vault uses access policies: ${policy})`;
      return failure('VAULT_DENIED', target, what, next);
    }
    default: {
      const next = 'Search the documentation of Key Vault for this code.';
      return failure(
        'VAULT_DENIED',
        target,
        `refuses the request with status 403 and the code ${inner}`,
        next,
      );
    }
  }
}

function isCode(code: unknown): code is string {
  return typeof code === 'string' && /^\w{1,64}$/.test(code);
}

function unreachable(vault: RequestTarget, error: unknown): SecretsError {
  const host = hostOf(vault);
  const untrusted = untrustedServer(error, host);
  if (untrusted !== undefined) return untrusted;
  const what = `cannot be reached: ${describeError(error)}`;
  const next =
    errorCode(error) === 'ENOTFOUND'
      ? `Check the name in ${vault.vaultUrl} and the DNS of the pod: the name does not resolve. A private endpoint needs its DNS zone.`
      : `Check the network between the pod and ${host}: network policies, firewalls, proxies.`;
  return failure('VAULT_UNAVAILABLE', vault, what, next);
}

export function hostOf({ vaultUrl }: RequestTarget): string {
  return new URL(vaultUrl).hostname;
}

/** The name of the vault for commands, if its address has one. */
function nameOf(target: RequestTarget): string {
  return /^([a-z0-9-]+)\.vault\./.exec(hostOf(target))?.[1] ?? 'VAULT';
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
