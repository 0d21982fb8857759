import { readFileSync } from 'node:fs';

/** What a projected service account token says of itself. Names and times; the token itself stays where it is. */
export interface TokenFacts {
  readonly issuer: string;
  /** `system:serviceaccount:NAMESPACE:NAME`. */
  readonly subject: string;
  readonly audience: string;
  readonly expiresAt: Date | undefined;
}

export type TokenFile =
  | { readonly state: 'missing' | 'unreadable' | 'empty' | 'no token' }
  | { readonly state: 'token'; readonly facts: TokenFacts };

/** Looks into the token file of the workload identity: most failures are explained by what it says. */
export function readTokenFile(path: string): TokenFile {
  let text: string;
  try {
    text = readFileSync(path, 'utf8').trim();
  } catch (error) {
    return { state: (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'missing' : 'unreadable' };
  }
  if (text === '') return { state: 'empty' };
  const facts = factsOf(text);
  return facts === undefined ? { state: 'no token' } : { state: 'token', facts };
}

/** The claims of a JWT, without a look at its signature: that is for Entra to check. */
function factsOf(token: string): TokenFacts | undefined {
  const [, payload, signature] = token.split('.');
  if (payload === undefined || signature === undefined) return undefined;
  try {
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')) as Record<string, unknown>;
    const { iss, sub, aud, exp } = claims;
    return {
      issuer: plain(iss),
      subject: plain(sub),
      audience: [aud].flat().map(plain).join(', '),
      expiresAt: typeof exp === 'number' ? new Date(exp * 1000) : undefined,
    };
  } catch {
    return undefined;
  }
}

/** Only what looks like a name or an address is repeated: the file may hold something else than a token. */
function plain(claim: unknown): string {
  return typeof claim === 'string' && /^[\w:./@-]{1,256}$/.test(claim) ? claim : '?';
}
