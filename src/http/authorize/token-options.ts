import { SecretsError } from '../../errors';

const AUTHORITY = 'https://login.microsoftonline.com';
const WHERE = 'bearerToken';

/** A GUID: the names `common` and `organizations` would let in the tokens of every tenant. */
export function checkedTenant(tenantId: unknown): string {
  if (typeof tenantId === 'string' && /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i.test(tenantId)) {
    return tenantId.toLowerCase();
  }
  throw invalid('tenantId', 'is no GUID', 'Take it from: az account show --query tenantId');
}

/** One text, or a list of them that is not empty. */
export function checkedTexts(option: string, value: unknown): string[] {
  const texts: unknown[] = [value].flat();
  const usable = texts.length > 0 && texts.every((text) => typeof text === 'string' && text !== '');
  if (usable) return texts as string[];
  throw invalid(option, 'is neither a text nor a list of texts');
}

/** Keys that arrive over plain http could be anybody's. */
export function checkedKeysUrl(url: unknown): URL {
  const parsed = typeof url === 'string' && URL.canParse(url) ? new URL(url) : undefined;
  const local = parsed?.protocol === 'http:' && /^(localhost|127\.0\.0\.1|\[::1\])$/.test(parsed.hostname);
  if (parsed !== undefined && (parsed.protocol === 'https:' || local)) return parsed;
  throw invalid('jwksUrl', 'is no https address');
}

export function keysUrlOf(tenantId: string): string {
  return `${AUTHORITY}/${tenantId}/discovery/v2.0/keys`;
}

/** Which of the two a token has is decided by the application that it is for (`requestedAccessTokenVersion`). */
export function issuersOf(tenantId: string): string[] {
  return [`https://sts.windows.net/${tenantId}/`, `${AUTHORITY}/${tenantId}/v2.0`];
}

function invalid(option: string, what: string, next?: string): SecretsError {
  return new SecretsError(
    'OPTION_INVALID',
    `${option} of ${WHERE} ${what}`,
    next === undefined ? {} : { next },
  );
}
