import { randomUUID } from 'node:crypto';
import { errorCode } from '../../internal/describe-error';
import type { Jose } from '../../internal/peer';
import type { Answer } from './answer';
import type { SigningKey } from './signing-key';
import { tokenExpired, unauthorized, VAULT_RESOURCE } from './vault-errors';

/** The service principal behind the application. */
const OBJECT_ID = '00000000-0000-4000-8000-000000000004';

/** Gives out the access tokens of the tenant, and checks them as the vault does. */
export class AccessTokens {
  readonly #jose: Jose;
  readonly #key: SigningKey;
  readonly #tenantId: string;
  readonly #issuer: string;
  readonly #good = new Set<string>();

  constructor(jose: Jose, key: SigningKey, tenantId: string) {
    this.#jose = jose;
    this.#key = key;
    this.#tenantId = tenantId;
    this.#issuer = `https://sts.windows.net/${tenantId}/`;
  }

  /** A token of version 1, as the service takes them. */
  async issue(clientId: string, audience: string, lifetimeSeconds: number): Promise<string> {
    const { SignJWT } = this.#jose;
    const uti = randomUUID();
    const claims = { appid: clientId, appidacr: '2', idp: this.#issuer, oid: OBJECT_ID, tid: this.#tenantId };
    const now = Math.floor(Date.now() / 1000);
    const token = await new SignJWT({ ...claims, uti, ver: '1.0' })
      .setProtectedHeader({ typ: 'JWT', alg: 'RS256', kid: this.#key.kid })
      .setAudience(audience)
      .setIssuer(this.#issuer)
      .setSubject(OBJECT_ID)
      .setIssuedAt(now)
      .setNotBefore(now)
      .setExpirationTime(now + lifetimeSeconds)
      .sign(this.#key.privateKey);
    this.#good.add(uti);
    return token;
  }

  revoke(): void {
    this.#good.clear();
  }

  /** `appid=…;oid=…;iss=…`, as errors of the service write the caller. */
  caller(clientId: string): string {
    return `appid=${clientId};oid=${OBJECT_ID};iss=${this.#issuer}`;
  }

  /** The 401 for what stands in `Authorization`; `undefined` where that is good. */
  async refuse(authorization: string | undefined): Promise<Answer | undefined> {
    const token = /^Bearer (.+)$/i.exec(authorization ?? '')?.[1];
    if (token === undefined) return this.#refused('AKV10000: Request is missing a Bearer or PoP token.');
    const audience = [VAULT_RESOURCE, `${VAULT_RESOURCE}/`];
    const expected = { algorithms: ['RS256'], issuer: this.#issuer, audience };
    const keyOf = ({ kid }: { kid?: string }) => this.#publicKey(kid);
    try {
      const { payload } = await this.#jose.jwtVerify(token, keyOf, expected);
      return this.#good.has(String(payload.uti)) ? undefined : tokenExpired(this.#tenantId);
    } catch (error) {
      return this.#refusal(token, errorCode(error));
    }
  }

  #refusal(token: string, code: string | undefined): Answer {
    switch (code) {
      case 'ERR_JWT_EXPIRED':
        return tokenExpired(this.#tenantId);
      case 'ERR_JWKS_NO_MATCHING_KEY':
      case 'ERR_JWS_SIGNATURE_VERIFICATION_FAILED':
        return this.#refused('AKV10046: Unable to resolve the key used for signature validation.');
      case 'ERR_JWT_CLAIM_VALIDATION_FAILED': {
        const found = this.#jose.decodeJwt(token).aud;
        return this.#refused(`AKV10022: Invalid audience. Expected ${VAULT_RESOURCE}, found: ${found}.`);
      }
      default:
        return this.#refused("[AggregatedAuthenticationFailure] Error validating token: 'S2S17001'.");
    }
  }

  #refused(message: string): Answer {
    return unauthorized(this.#tenantId, message);
  }

  #publicKey(kid: string | undefined): SigningKey['publicKey'] {
    if (kid === this.#key.kid) return this.#key.publicKey;
    throw new this.#jose.errors.JWKSNoMatchingKey();
  }
}
