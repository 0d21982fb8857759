import { errorCode } from '../../internal/describe-error';
import { assertNumber, rejectUnknownOptions } from '../../internal/options';
import { assertPeer, type Jose, loadJose } from '../../internal/peer';
import { SayOnce } from '../../internal/warnings';
import type { Authorize } from '../types';
import { genuineButOther } from './genuine-but-other';
import { checkedKeysUrl, checkedTenant, checkedTexts, issuersOf, keysUrlOf } from './token-options';

/** Durations are milliseconds. */
export interface BearerTokenOptions {
  /** The id of the Entra tenant that issues the tokens: a GUID. */
  readonly tenantId: string;
  /** What the tokens are for (`aud`): the id or the id URI of the application, as the subscription names it. */
  readonly audience: string | readonly string[];
  /** Default: the v1 and the v2 issuer of the tenant in the public cloud. */
  readonly issuer?: string | readonly string[];
  /**
   * The applications that may ask (`azp`, or `appid` of a v1 token). Default: Event Grid in the public cloud. Without
   * this check, whatever runs in the tenant could get a token that passes.
   */
  readonly appIds?: readonly string[];
  /** How far the clocks may be apart. Default: 300 000. */
  readonly clockToleranceMs?: number;
  /** Where the keys of the tenant are. Default: its address in the public cloud. */
  readonly jwksUrl?: string;
  /** Fetches the keys: for a proxy, or an authority of your own. Default: the global `fetch`. */
  readonly fetch?: typeof globalThis.fetch;
}

const WHERE = 'bearerToken';
const KNOWN = ['tenantId', 'audience', 'issuer', 'appIds', 'clockToleranceMs', 'jwksUrl', 'fetch'];

/** The service principal `Microsoft.EventGrid`, the same in every tenant of the public cloud. */
const EVENT_GRID_APP_ID = '4962773b-9cdb-44cf-a8bf-237846a00ab7';

/** Every refusal is the token's fault; what else jose throws is about the keys, and no verdict. */
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
 * Lets in who has a bearer token of Entra ID: signed with a key of the tenant (RS256), for this audience, asked for by
 * one of these applications, not expired. Needs the package `jose`; the keys are fetched with the first token, and kept.
 *
 * A genuine token for another audience or of another application is also a process warning, once: mostly an option is
 * wrong then. While the keys cannot be fetched, requests are answered with 503 and not refused.
 *
 * Throws `PEER_MISSING`, `OPTION_INVALID`, `OPTION_UNKNOWN`.
 *
 * @example
 * ```ts
 * const tenantId = '72f988bf-86f1-41af-91ab-2d7cd011db47';
 * const handler = eventGridHandler(secrets, {
 *   authorize: bearerToken({ tenantId, audience: 'api://shop-webhook' }),
 * });
 * ```
 */
export function bearerToken(options: BearerTokenOptions): Authorize {
  rejectUnknownOptions(WHERE, options, KNOWN);
  const { appIds = [EVENT_GRID_APP_ID], clockToleranceMs = 300_000 } = options;
  const tenantId = checkedTenant(options.tenantId);
  const audience = checkedTexts('audience', options.audience);
  const issuer = checkedTexts('issuer', options.issuer ?? issuersOf(tenantId));
  const applications = new Set(checkedTexts('appIds', appIds).map((id) => id.toLowerCase()));
  assertNumber(WHERE, 'clockToleranceMs', clockToleranceMs);
  const jwksUrl = checkedKeysUrl(options.jwksUrl ?? keysUrlOf(tenantId));
  assertPeer('jose');

  const warnings = new SayOnce();
  let keys: ReturnType<Jose['createRemoteJWKSet']> | undefined;

  return async ({ headers }) => {
    const token = /^bearer +([\w.~+/=-]+)$/i.exec(headers.get('authorization') ?? '')?.[1];
    if (token === undefined) return false;
    const { createRemoteJWKSet, customFetch, jwtVerify } = await loadJose();
    keys ??= createRemoteJWKSet(jwksUrl, options.fetch === undefined ? {} : { [customFetch]: options.fetch });
    const checks = { issuer, audience, algorithms: ['RS256'], requiredClaims: ['exp'] };
    try {
      const { payload } = await jwtVerify(token, keys, {
        ...checks,
        clockTolerance: clockToleranceMs / 1000,
      });
      const application = payload.azp ?? payload.appid;
      if (typeof application === 'string' && applications.has(application.toLowerCase())) return true;
      warnings.say(genuineButOther(WHERE, payload.azp === undefined ? 'appid' : 'azp', application));
      return false;
    } catch (error) {
      if (!REFUSALS.has(errorCode(error))) throw error;
      const { claim, payload } = error as { claim?: unknown; payload?: Record<string, unknown> };
      // Claims are looked at only once the signature holds.
      if (claim === 'aud' || claim === 'iss') warnings.say(genuineButOther(WHERE, claim, payload?.[claim]));
      return false;
    }
  };
}
