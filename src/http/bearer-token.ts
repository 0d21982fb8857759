import { SecretsError } from '../errors';
import { errorCode } from '../internal/describe-error';
import { callback, ms, type Option, passed, readOptions } from '../internal/options';
import { assertPeer, type ModuleWith, peerJose } from '../internal/peer';
import { SayOnce } from '../internal/warnings';
import { SigningKeys } from './signing-keys';
import type { Authorizer } from './types';

/** Durations are milliseconds. */
export interface BearerTokenOptions {
  /** The id of the Entra tenant that issues the tokens: a GUID. */
  readonly tenantId: string;
  /** The intended audience (`aud`): the id or the id URI of the application that the subscription names. */
  readonly audience: string | readonly string[];
  /** The issuers to accept (`iss`). Default: the v1 and v2 issuers of the tenant in the public cloud. */
  readonly issuer?: string | readonly string[] | undefined;
  /**
   * The applications that may request a token (`azp`, or `appid` of a v1 token). Default: Event Grid in the public cloud.
   * Without this check, any workload of the tenant could get a valid token.
   */
  readonly appIds?: readonly string[] | undefined;
  /** The tolerated difference between clocks. Default: 300 000. */
  readonly clockToleranceMs?: number | undefined;
  /** The address of the tenant's keys. Default: the one in the public cloud. */
  readonly jwksUrl?: string | undefined;
  /** Fetches the keys, for example through a proxy or with a private authority. Default: the global `fetch`. */
  readonly fetch?: typeof globalThis.fetch | undefined;
  /** The `jose` package to use instead of the installed one: `import * as jose from 'jose'`. */
  readonly jose?: JoseModule | undefined;
}

/** What is needed of the `jose` package. */
export type JoseModule = ModuleWith<(typeof USES)[number]>;

const USES = ['createLocalJWKSet', 'jwtVerify'] as const;

const WHERE = 'bearerToken';
const AUTHORITY = 'https://login.microsoftonline.com';

/** The service principal `Microsoft.EventGrid`, the same in every tenant of the public cloud. */
const EVENT_GRID_APP_ID = '4962773b-9cdb-44cf-a8bf-237846a00ab7';

/** The error codes of jose for a bad token. Its other errors concern the keys and are failures, not refusals. */
const REFUSALS: ReadonlySet<string | undefined> = new Set([
  'ERR_JWS_INVALID',
  'ERR_JWT_INVALID',
  'ERR_JWS_SIGNATURE_VERIFICATION_FAILED',
  'ERR_JWT_CLAIM_VALIDATION_FAILED',
  'ERR_JWT_EXPIRED',
  'ERR_JOSE_ALG_NOT_ALLOWED',
  'ERR_JOSE_NOT_SUPPORTED',
  'ERR_JWKS_NO_MATCHING_KEY',
  'ERR_JWKS_MULTIPLE_MATCHING_KEYS',
]);

/**
 * Authorizes requests with a bearer token of Entra ID that is signed with a key of the tenant (RS256), is intended for this
 * audience, was requested by one of these applications, and has not expired. Needs the package `jose`.
 *
 * The keys are fetched with the first token, again after ten minutes, and when a token names an unknown key (at most every
 * 30 seconds). While they cannot be fetched, the last keys stay in use; a token whose key cannot be looked up is answered
 * with 503 (`KEYS_UNAVAILABLE`), not with a refusal.
 *
 * A valid token with the wrong audience, issuer or application also causes a process warning, once: usually an option is
 * wrong.
 *
 * Throws `PEER_MISSING`, `PEER_UNSUPPORTED`, `OPTION_INVALID`, `OPTION_UNKNOWN`.
 *
 * @example
 * ```ts
 * const tenantId = '72f988bf-86f1-41af-91ab-2d7cd011db47';
 * const handler = eventGridHandler(secrets, {
 *   authorize: bearerToken({ tenantId, audience: 'api://shop-webhook' }),
 * });
 * ```
 */
export function bearerToken(options: BearerTokenOptions): Authorizer {
  const read = readOptions(WHERE, options, {
    tenantId: guid,
    audience: texts,
    issuer: optional(texts),
    appIds: optional(texts),
    clockToleranceMs: ms(300_000),
    jwksUrl: optional(httpsUrl),
    fetch: callback<typeof globalThis.fetch>(),
    jose: passed<JoseModule>(),
  });
  const {
    tenantId,
    audience,
    issuer = issuersOf(tenantId),
    appIds = [EVENT_GRID_APP_ID],
    fetch,
    jose,
  } = read;
  const { jwksUrl = new URL(`${AUTHORITY}/${tenantId}/discovery/v2.0/keys`), clockToleranceMs } = read;
  const applications = new Set(appIds.map((id) => id.toLowerCase()));
  if (jose === undefined) assertPeer('jose');

  const warnings = new SayOnce();
  const keys = new SigningKeys(jwksUrl, fetch);

  return async ({ headers }) => {
    const token = /^bearer +([\w.~+/=-]+)$/i.exec(headers.get('authorization') ?? '')?.[1];
    if (token === undefined) return false;
    const loaded = await peerJose(USES, jose);
    const clockTolerance = clockToleranceMs / 1000;
    const checks = { issuer, audience, algorithms: ['RS256'], requiredClaims: ['exp'], clockTolerance };
    try {
      const { payload } = await loaded.jwtVerify(token, keys.lookUp(loaded), checks);
      const application = payload.azp ?? payload.appid;
      if (typeof application === 'string' && applications.has(application.toLowerCase())) return true;
      warnings.say(claimMismatch(payload.azp === undefined ? 'appid' : 'azp', application));
      return false;
    } catch (error) {
      if (!REFUSALS.has(errorCode(error))) throw error;
      const { claim, payload } = error as { claim?: unknown; payload?: Record<string, unknown> };
      // jose checks claims only after the signature, so this token is genuine.
      if (claim === 'aud' || claim === 'iss') warnings.say(claimMismatch(claim, payload?.[claim]));
      return false;
    }
  };
}

const OPTION_OF = { aud: 'audience', iss: 'issuer', azp: 'appIds', appid: 'appIds' } as const;

/**
 * Reports a genuine token that was refused because of a claim. Usually an option is wrong, and without this warning every
 * event would be dropped silently. A claim is not a secret, but it comes from outside.
 */
function claimMismatch(claim: keyof typeof OPTION_OF, value: unknown): SecretsError {
  const [first] = [value].flat();
  const isPrintable = typeof first === 'string' && /^[\w:/.-]{1,200}$/.test(first);
  const says = isPrintable ? `says "${first}"` : 'cannot be printed, or is missing';
  return new SecretsError(
    'OPTION_INVALID',
    `${WHERE} refused a genuine token: its claim "${claim}" ${says}`,
    {
      next: `If the token is from your Event Grid subscription, correct ${OPTION_OF[claim]}.`,
    },
  );
}

/** Requires a GUID, because `common` and `organizations` would accept the tokens of every tenant. */
const guid: Option<string> = (given, reject) => {
  if (typeof given === 'string' && /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i.test(given)) {
    return given.toLowerCase();
  }
  return reject('the GUID that `az account show --query tenantId` prints');
};

const texts: Option<string[]> = (given, reject) => {
  const all: unknown[] = [given].flat();
  const isUsable = all.length > 0 && all.every((text) => typeof text === 'string' && text !== '');
  return isUsable ? (all as string[]) : reject('a string or a list of strings, none of them empty');
};

/** Requires https, because keys that arrive over plain HTTP could be forged. */
const httpsUrl: Option<URL> = (given, reject) => {
  const url = typeof given === 'string' && URL.canParse(given) ? new URL(given) : undefined;
  const isLocal = url?.protocol === 'http:' && /^(localhost|127\.0\.0\.1|\[::1\])$/.test(url.hostname);
  return url !== undefined && (url.protocol === 'https:' || isLocal) ? url : reject('an https address');
};

function optional<T>(option: Option<T>): Option<T | undefined> {
  return (given, reject) => (given === undefined ? undefined : option(given, reject));
}

/** A token names one of the two, depending on `requestedAccessTokenVersion` of the application that it is for. */
function issuersOf(tenantId: string): string[] {
  return [`https://sts.windows.net/${tenantId}/`, `${AUTHORITY}/${tenantId}/v2.0`];
}
