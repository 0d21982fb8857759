import { errorCode } from '../../internal/describe-error';
import type { Jose } from '../../internal/peer';
import { TOKEN_AUDIENCE, TOKEN_ISSUER, TOKEN_SUBJECT } from './cluster';
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
import type { SigningKey } from './signing-key';

type Claims = ReturnType<Jose['decodeJwt']>;

/** Why Entra refuses a federated assertion; `undefined` where it takes it. */
export async function refuseAssertion(
  jose: Jose,
  cluster: SigningKey,
  assertion: string,
): Promise<EntraRefusal | undefined> {
  const claims = decoded(jose, assertion);
  if (claims === undefined) return assertionMalformed();
  // The record is looked up by what the assertion claims; only then is the issuer's key fetched, and it verified.
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
    // A claim that fails here is `nbf`: the token is from the future.
    const outside = ['ERR_JWT_EXPIRED', 'ERR_JWT_CLAIM_VALIDATION_FAILED'].includes(errorCode(error) ?? '');
    return outside ? assertionExpired(new Date(nbf * 1000), new Date(exp * 1000)) : assertionForged();
  }
}
