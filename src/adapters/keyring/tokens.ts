import type { KeyObject } from 'node:crypto';
import { builtin } from '../../internal/builtins';
import type { Keyring } from './keyring';
import type { SigningKey } from './signing-key';

/** What is needed of the `jsonwebtoken` package. */
export interface JsonwebtokenModule {
  sign(payload: object, key: KeyObject, options: object): string;
  verify(token: string, key: KeyObject, options: object): unknown;
}

/** What is needed of the `fast-jwt` package. */
export interface FastJwtModule {
  // biome-ignore lint/suspicious/noExplicitAny: the options of the two differ from version to version.
  createSigner(options: any): (payload: any) => unknown;
  // biome-ignore lint/suspicious/noExplicitAny: as above.
  createVerifier(options: any): (token: string) => any;
}

type Claims = Record<string, unknown>;

/**
 * Signs and verifies with `jsonwebtoken`. Options are those of the library, which throws its own errors; the keyring sets
 * `keyid`, `algorithm` and `algorithms`. A token without a `kid` is accepted if one of the keys has signed it.
 *
 * @example
 * ```ts
 * import jwt from 'jsonwebtoken';
 * const tokens = forJsonwebtoken(keys, jwt);
 * tokens.verify(tokens.sign({ sub: 'ada' }, { expiresIn: '15m' }));
 * ```
 */
export function forJsonwebtoken(keys: Keyring, jwt: JsonwebtokenModule) {
  return {
    sign(payload: object, options?: object): string {
      const { id, algorithm, signingKey } = keys.signing;
      return jwt.sign(payload, signingKey, { ...options, keyid: id, algorithm });
    },
    verify(token: string, options?: object): Claims {
      const { algorithm, verifyingKey } = keyOf(keys, token);
      return jwt.verify(token, verifyingKey, { ...options, algorithms: [algorithm] }) as Claims;
    },
  };
}

/** The part of a token that `jose` passes to the function that finds its key. */
export interface JoseToken {
  readonly protected?: string;
  readonly payload: string | Uint8Array;
  readonly signature: string;
}

/**
 * Returns the function that finds the key of a token for `jwtVerify` and `compactVerify` of `jose`. Sign with `keys.signing`: its
 * `id` is the `kid` of the header, its `algorithm` the `alg`, its `signingKey` the key.
 *
 * @example
 * ```ts
 * const { id: kid, algorithm: alg, signingKey } = keys.signing;
 * const token = await new SignJWT({ sub: 'ada' }).setProtectedHeader({ alg, kid }).sign(signingKey);
 * await jwtVerify(token, forJose(keys));
 * ```
 */
export function forJose(keys: Keyring): (header: { readonly kid?: string }, token: JoseToken) => KeyObject {
  return ({ kid }, { protected: header = '', payload, signature }) => {
    const body = typeof payload === 'string' ? payload : Buffer.from(payload).toString();
    return (keys.find(kid) ?? signerOf(keys, `${header}.${body}`, signature)).verifyingKey;
  };
}

/**
 * Signs and verifies with `fast-jwt`. Each key has a signer and a verifier of its own, made with your options: a verifier with
 * `cache: true` forgets the tokens of a key that no longer verifies, which the cache of a single verifier would still accept.
 *
 * @example
 * ```ts
 * import * as fastJwt from 'fast-jwt';
 * const tokens = forFastJwt(keys, fastJwt, { sign: { expiresIn: 900_000 }, verify: { cache: true } });
 * tokens.verify(tokens.sign({ sub: 'ada' }));
 * ```
 */
export function forFastJwt(
  keys: Keyring,
  { createSigner, createVerifier }: FastJwtModule,
  { sign, verify }: { readonly sign?: object | undefined; readonly verify?: object | undefined } = {},
) {
  const signerFor = eachKey((key) => {
    const { id: kid, algorithm } = key;
    return createSigner({ ...sign, key: asFastJwtKey(key.reveal()), kid, algorithm });
  });
  const verifierFor = eachKey((key) =>
    createVerifier({ ...verify, key: asFastJwtKey(key.revealVerifying()), algorithms: [key.algorithm] }),
  );
  return {
    sign: (payload: object): string => signerFor(keys.signing)(payload) as string,
    verify: (token: string): Claims => verifierFor(keyOf(keys, token))(token) as Claims,
  };
}

/** The options of `@fastify/jwt` that follow a keyring. */
export interface FastifyJwtKeys {
  readonly secret: {
    private(...args: readonly unknown[]): Promise<string | Buffer>;
    public(...args: readonly unknown[]): Promise<string | Buffer>;
  };
  readonly decode: { readonly complete: true };
  readonly sign: object;
  readonly verify: object;
}

/**
 * Returns options for `@fastify/jwt`: its keys, and the `kid` of new tokens. Pass options for signing and verifying here, all others
 * next to the result. Leave out `verify.cache` if you call `app.jwt.verify`: its cache does not know which key verified a token.
 *
 * @example
 * ```ts
 * await app.register(fastifyJwt, forFastifyJwt(keys, { sign: { expiresIn: '15m' } }));
 * ```
 */
export function forFastifyJwt(
  keys: Keyring,
  { sign, verify }: { readonly sign?: object | undefined; readonly verify?: object | undefined } = {},
): FastifyJwtKeys {
  const { algorithm } = keys.signing;
  const header = {
    ...(sign as { header?: object } | undefined)?.header,
    // Read for each token.
    get kid() {
      return keys.signing.id;
    },
  };
  return {
    secret: {
      // Called by the plugin with a request, and by fast-jwt with the header that it signs.
      private: async (first) => {
        const key = keys.find((first as Parts | undefined)?.header?.kid);
        return asFastJwtKey((key?.canSign ? key : keys.signing).reveal());
      },
      // Called by the plugin with a request and a token, and by fast-jwt with the parts of a token.
      public: async (first, second) => {
        const parts = (typeof second === 'object' && second !== null ? second : first) as Parts;
        const known = keys.find(parts.header?.kid);
        const { input, signature = '' } = parts;
        // Another key may have come between the header and the signature.
        const key = input === undefined ? known : signerOf(keys, input, signature, known);
        return asFastJwtKey((key ?? keys.signing).revealVerifying());
      },
    },
    decode: { complete: true },
    sign: { ...sign, header, ...(USUAL.test(algorithm) ? {} : { algorithm }) },
    verify: { ...verify },
  };
}

/** What `fast-jwt` takes for the algorithm of a key by itself. */
const USUAL = /^(HS256|RS256|ES\d+|EdDSA)$/;

interface Parts {
  readonly header?: { readonly kid?: string };
  readonly input?: string;
  readonly signature?: string;
}

function asFastJwtKey(value: string | Uint8Array): string | Buffer {
  return typeof value === 'string' ? value : Buffer.from(value.buffer, value.byteOffset, value.byteLength);
}

/** Makes something once for each key. It is forgotten with the key. */
function eachKey<T>(make: (key: SigningKey) => T): (key: SigningKey) => T {
  const made = new WeakMap<SigningKey, T>();
  return (key) => {
    const known = made.get(key) ?? make(key);
    made.set(key, known);
    return known;
  };
}

/** The key of a token. If there is none, the signing key, so that the library refuses the token with its own error. */
function keyOf(keys: Keyring, token: unknown): SigningKey {
  const [header = '', payload = '', signature = ''] = String(token).split('.', 3);
  return keys.find(kidOf(header)) ?? signerOf(keys, `${header}.${payload}`, signature);
}

function kidOf(header: string): string | undefined {
  try {
    return (JSON.parse(Buffer.from(header, 'base64url').toString()) as { kid?: string } | null)?.kid;
  } catch {
    return undefined;
  }
}

/** The key that made a signature, for a token whose header does not tell: `first`, if it did. */
function signerOf(keys: Keyring, input: string, signature: string, first = keys.signing): SigningKey {
  const bytes = Buffer.from(signature, 'base64url');
  const all = [first, ...keys.verifying];
  return all.find((key) => hasSigned(key, input, bytes)) ?? keys.signing;
}

function hasSigned({ algorithm, verifyingKey }: SigningKey, input: string, signature: Buffer): boolean {
  const { constants, createHmac, timingSafeEqual, verify } = builtin('crypto');
  const hash = `sha${algorithm.slice(2)}`;
  if (verifyingKey.type === 'secret') {
    const expected = createHmac(hash, verifyingKey).update(input).digest();
    return expected.length === signature.length && timingSafeEqual(expected, signature);
  }
  const padding = algorithm.startsWith('PS') ? { padding: constants.RSA_PKCS1_PSS_PADDING } : {};
  const key = { key: verifyingKey, dsaEncoding: 'ieee-p1363', ...padding } as const;
  return verify(algorithm === 'EdDSA' ? null : hash, Buffer.from(input), key, signature);
}
