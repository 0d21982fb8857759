import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { errorCode } from '../../internal/describe-error';
import { flag, type Option, readOptions, text } from '../../internal/options';
import type { Jose } from '../../internal/peer';
import type { TestMount } from '../test-mount';
import { type SigningKey, signingKey } from './certificates';
import {
  assertionExpired,
  assertionForged,
  assertionMalformed,
  audienceUnknown,
  type EntraRefusal,
  issuerUnknown,
  subjectInOtherCase,
  subjectUnknown,
} from './entra-errors';
import type { HostResponse } from './server';
import { tokenExpired, unauthorized, VAULT_RESOURCE } from './vault-errors';

/** A token as Kubernetes projects it into a pod, or other content for its file. */
export interface ProjectedToken {
  /** Default: `system:serviceaccount:default:app`, which the application trusts. */
  readonly subject?: string;
  /** Default: `api://AzureADTokenExchange`. */
  readonly audience?: string;
  /** Default: the one cluster that the application trusts. */
  readonly issuer?: string;
  /** Negative for an expired token. Default: 24 hours. */
  readonly expiresInMs?: number;
  /** From when on the token is valid. Default: now. */
  readonly startsInMs?: number;
  /** Signs with a key that the cluster does not have. Default: `false`. */
  readonly forged?: boolean;
  /** Written instead of a token: `''` for an empty file. */
  readonly content?: string;
}

const TOKEN_AUDIENCE = 'api://AzureADTokenExchange';
const TOKEN_ISSUER = 'https://westeurope.oic.prod-aks.azure.com/emulator/';
const TOKEN_SUBJECT = 'system:serviceaccount:default:app';

const TOKEN_FILE = 'azure-identity-token';
const LIFETIME_MS = 24 * 60 * 60 * 1000;

/** @throws `OPTION_UNKNOWN`, `OPTION_INVALID` */
function readProjectedToken(token: ProjectedToken | undefined) {
  return readOptions('projectToken()', token, {
    subject: text(TOKEN_SUBJECT),
    audience: text(TOKEN_AUDIENCE),
    issuer: text(TOKEN_ISSUER),
    expiresInMs,
    startsInMs,
    forged: flag(false),
    content,
  });
}

const expiresInMs: Option<number> = (given = LIFETIME_MS, reject) => {
  if (typeof given === 'number' && Number.isFinite(given)) return given;
  return reject('a finite duration in milliseconds, negative for an expired token');
};

const startsInMs: Option<number> = (given = 0, reject) =>
  typeof given === 'number' && Number.isFinite(given) ? given : reject('a finite duration in milliseconds');

const content: Option<string | undefined> = (given, reject) =>
  given === undefined || typeof given === 'string' ? given : reject('a string, which may be empty');

/** Signs federated tokens and projects them into a mount, just as kubelet does. */
export class Cluster {
  readonly tokenFilePath: string;
  readonly #jose: Jose;
  readonly #key: SigningKey;
  readonly #mount: TestMount;

  constructor(jose: Jose, key: SigningKey, mount: TestMount) {
    this.#jose = jose;
    this.#key = key;
    this.#mount = mount;
    this.tokenFilePath = join(mount.path, TOKEN_FILE);
  }

  async project(token?: ProjectedToken): Promise<void> {
    const read = readProjectedToken(token);
    await this.#mount.rotate({ [TOKEN_FILE]: read.content ?? (await this.#sign(read)) });
  }

  async #sign({
    subject,
    audience,
    issuer,
    expiresInMs,
    startsInMs,
    forged,
  }: ReturnType<typeof readProjectedToken>): Promise<string> {
    const { SignJWT } = this.#jose;
    const expires = Math.floor((Date.now() + expiresInMs) / 1000);
    const { privateKey } = forged ? await signingKey(this.#jose, 'forger', '') : this.#key;
    const issued = Math.min(Math.floor(Date.now() / 1000), expires - 1);
    return new SignJWT({})
      .setProtectedHeader({ alg: 'RS256', kid: this.#key.kid })
      .setAudience([audience])
      .setIssuer(issuer)
      .setSubject(subject)
      .setIssuedAt(issued)
      .setNotBefore(issued + Math.floor(startsInMs / 1000))
      .setExpirationTime(expires)
      .sign(privateKey);
  }
}

type Claims = ReturnType<Jose['decodeJwt']>;

/** Why Entra ID refuses a federated assertion; `undefined` if it accepts it. */
export async function refuseAssertion(
  jose: Jose,
  cluster: SigningKey,
  assertion: string,
): Promise<EntraRefusal | undefined> {
  const claims = decoded(jose, assertion);
  if (claims === undefined) return assertionMalformed();
  // Entra ID first looks up the record by the claims, and only then verifies the signature with the issuer's key.
  return refuseClaims(claims) ?? (await refuseSignature(jose, cluster, assertion, claims));
}

function decoded(jose: Jose, assertion: string): Claims | undefined {
  try {
    jose.decodeProtectedHeader(assertion);
    return jose.decodeJwt(assertion);
  } catch {
    return undefined;
  }
}

function refuseClaims({ iss = '', sub = '', aud = [] }: Claims): EntraRefusal | undefined {
  if (iss !== TOKEN_ISSUER) return issuerUnknown(iss);
  if (sub !== TOKEN_SUBJECT) {
    return sub.toLowerCase() === TOKEN_SUBJECT ? subjectInOtherCase(sub) : subjectUnknown(sub);
  }
  const audiences = [aud].flat();
  return audiences.includes(TOKEN_AUDIENCE) ? undefined : audienceUnknown(audiences.join(','));
}

async function refuseSignature(
  jose: Jose,
  { kid, publicKey }: SigningKey,
  assertion: string,
  { nbf = 0, exp = 0 }: Claims,
): Promise<EntraRefusal | undefined> {
  if (jose.decodeProtectedHeader(assertion).kid !== kid) return assertionForged();
  try {
    await jose.jwtVerify(assertion, publicKey, { algorithms: ['RS256'], requiredClaims: ['exp'] });
    return undefined;
  } catch (error) {
    // The claim that fails here is `nbf`: the token is not valid yet.
    const outside = ['ERR_JWT_EXPIRED', 'ERR_JWT_CLAIM_VALIDATION_FAILED'].includes(errorCode(error) ?? '');
    return outside ? assertionExpired(new Date(nbf * 1000), new Date(exp * 1000)) : assertionForged();
  }
}

/** The service principal of the application. */
const OBJECT_ID = '00000000-0000-4000-8000-000000000004';

/** Issues the access tokens of the tenant, and checks them as the vault does. */
export class AccessTokens {
  readonly #jose: Jose;
  readonly #key: SigningKey;
  readonly #tenantId: string;
  readonly #issuer: string;
  readonly #valid = new Set<string>();

  constructor(jose: Jose, key: SigningKey, tenantId: string) {
    this.#jose = jose;
    this.#key = key;
    this.#tenantId = tenantId;
    this.#issuer = `https://sts.windows.net/${tenantId}/`;
  }

  /** Issues a token of version 1, which is what the service accepts. */
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
    this.#valid.add(uti);
    return token;
  }

  revoke(): void {
    this.#valid.clear();
  }

  /** `appid=…;oid=…;iss=…`, as errors of the service describe the caller. */
  caller(clientId: string): string {
    return `appid=${clientId};oid=${OBJECT_ID};iss=${this.#issuer}`;
  }

  /** The 401 for a wrong `Authorization` header; `undefined` if it is right. */
  async refuse(authorization: string | undefined): Promise<HostResponse | undefined> {
    const token = /^Bearer (.+)$/i.exec(authorization ?? '')?.[1];
    if (token === undefined) return this.#unauthorized('AKV10000: Request is missing a Bearer or PoP token.');
    const audience = [VAULT_RESOURCE, `${VAULT_RESOURCE}/`];
    const expected = { algorithms: ['RS256'], issuer: this.#issuer, audience };
    const keyOf = ({ kid }: { kid?: string }) => this.#publicKey(kid);
    try {
      const { payload } = await this.#jose.jwtVerify(token, keyOf, expected);
      return this.#valid.has(String(payload.uti)) ? undefined : tokenExpired(this.#tenantId);
    } catch (error) {
      return this.#refusal(token, errorCode(error));
    }
  }

  #refusal(token: string, code: string | undefined): HostResponse {
    switch (code) {
      case 'ERR_JWT_EXPIRED':
        return tokenExpired(this.#tenantId);
      case 'ERR_JWKS_NO_MATCHING_KEY':
      case 'ERR_JWS_SIGNATURE_VERIFICATION_FAILED':
        return this.#unauthorized('AKV10046: Unable to resolve the key used for signature validation.');
      case 'ERR_JWT_CLAIM_VALIDATION_FAILED': {
        const found = this.#jose.decodeJwt(token).aud;
        return this.#unauthorized(`AKV10022: Invalid audience. Expected ${VAULT_RESOURCE}, found: ${found}.`);
      }
      default:
        return this.#unauthorized("[AggregatedAuthenticationFailure] Error validating token: 'S2S17001'.");
    }
  }

  #unauthorized(message: string): HostResponse {
    return unauthorized(this.#tenantId, message);
  }

  #publicKey(kid: string | undefined): SigningKey['publicKey'] {
    if (kid === this.#key.kid) return this.#key.publicKey;
    throw new this.#jose.errors.JWKSNoMatchingKey();
  }
}
