import type { KeyObject } from 'node:crypto';
import { SecretsError } from '../../errors';
import { builtin, inspectCustom } from '../../internal/builtins';

/** The algorithms of JSON Web Tokens that keys sign with. */
export type KeyAlgorithm =
  | `${'HS' | 'RS' | 'PS'}${'256' | '384' | '512'}`
  | 'ES256'
  | 'ES384'
  | 'ES512'
  | 'EdDSA';

/** A key of a keyring. It prints as its id. */
export interface SigningKey {
  /**
   * The same in every replica and after every restart, so it can be the `kid` of a token. Nothing can be computed from it: for a
   * private key it is the thumbprint of the public key (RFC 7638), for a secret 96 bits that HKDF derives from it.
   */
  readonly id: string;
  /** What the key signs tokens with: `HS256`, `RS256`, `ES256`, … */
  readonly algorithm: KeyAlgorithm;
  /** The secret or the private key. A key that can only verify throws `SIGNING_KEY_INVALID`. */
  readonly signingKey: KeyObject;
  /** The same secret, or the public key. */
  readonly verifyingKey: KeyObject;
  /** False for a public key. */
  readonly canSign: boolean;
  /** Returns the secret as it is stored, or the private key as PEM. Bytes are shared: treat them as read-only. */
  reveal(): string | Uint8Array;
  /** Returns what verifies, for libraries that take no `KeyObject`: the secret as it is stored, or the public key as PEM. */
  revealVerifying(): string | Uint8Array;
}

interface Parts {
  readonly id: string;
  readonly algorithm: KeyAlgorithm;
  readonly verifying: KeyObject;
  readonly signing: KeyObject | undefined;
  readonly value: string | Uint8Array;
}

class Key implements SigningKey {
  readonly id: string;
  readonly algorithm: KeyAlgorithm;
  readonly canSign: boolean;
  /** A function, because an attached inspector shows the private fields of printed objects. */
  readonly #parts: () => Parts;

  constructor(parts: Parts) {
    this.id = parts.id;
    this.algorithm = parts.algorithm;
    this.canSign = parts.signing !== undefined;
    this.#parts = () => parts;
    Object.freeze(this);
  }

  get signingKey(): KeyObject {
    const { signing, id } = this.#parts();
    if (signing !== undefined) return signing;
    throw new SecretsError('SIGNING_KEY_INVALID', `the key ${id} is public, so that it can only verify`, {
      next: 'Sign with the `signing` key of the keyring.',
    });
  }

  get verifyingKey(): KeyObject {
    return this.#parts().verifying;
  }

  reveal(): string | Uint8Array {
    return this.#parts().value;
  }

  revealVerifying(): string | Uint8Array {
    const { verifying, value } = this.#parts();
    return verifying.type === 'secret' ? value : verifying.export({ type: 'spki', format: 'pem' }).toString();
  }

  toString(): string {
    return `[signing key ${this.id}]`;
  }

  toJSON(): string {
    return this.toString();
  }

  [inspectCustom](): string {
    return this.toString();
  }
}

/**
 * Makes a key from the value of a secret: a text, bytes, PEM, or the value of `secret.key` or `secret.tls`.
 * @param algorithm What to sign with, if not with the usual algorithm of the key.
 * @throws `SIGNING_KEY_INVALID`
 */
export function signingKeyOf(
  secret: string,
  value: unknown,
  algorithm: KeyAlgorithm | undefined,
): SigningKey {
  const invalid = (what: string, next: string) =>
    new SecretsError('SIGNING_KEY_INVALID', `the value of "${secret}" ${what}`, { secret, next });
  const given = hasPem(value) ? value.key : value;
  if (typeof given !== 'string' && !builtin('util').types.isUint8Array(given)) {
    throw invalid('is neither a text nor bytes nor a key', DEFINITIONS);
  }
  if (given.length === 0)
    throw invalid('is empty', 'Store a secret of 32 random bytes, or a private key as PEM.');
  const text = typeof given === 'string' ? given : Buffer.from(given).toString('latin1');
  if (/^\s*\{[\s\S]*"kty"/.test(text)) throw invalid('is a JSON Web Key', 'Store the key as PEM.');
  if (/^\s*LS0tLS1CRUdJTi/.test(text)) {
    throw invalid('is a key in base64', "Declare it with secret.bytes and encoding: 'base64'.");
  }
  const key = text.includes('-----BEGIN ') ? pairOf(text, invalid) : secretOf(given);
  const usual = algorithmOf(key.verifying, invalid);
  if (algorithm !== undefined && !fits(algorithm, usual)) {
    throw invalid(`cannot sign with ${algorithm}`, `Use a key for ${algorithm}, or leave out \`algorithm\`.`);
  }
  return new Key({ ...key, id: idOf(key.verifying), algorithm: algorithm ?? usual });
}

const DEFINITIONS = 'Declare it with secret.text, secret.bytes, secret.key or secret.tls.';

type Invalid = (what: string, next: string) => SecretsError;
type KeyParts = Omit<Parts, 'id' | 'algorithm'>;

function hasPem(value: unknown): value is { readonly key: string } {
  return typeof (value as { key?: unknown } | null | undefined)?.key === 'string';
}

function secretOf(value: string | Uint8Array): KeyParts {
  const bytes = typeof value === 'string' ? Buffer.from(value) : value;
  const key = builtin('crypto').createSecretKey(bytes);
  return { signing: key, verifying: key, value };
}

function pairOf(pem: string, invalid: Invalid): KeyParts {
  const { createPrivateKey, createPublicKey } = builtin('crypto');
  const isPrivate = pem.includes('PRIVATE KEY-----');
  try {
    const key = isPrivate ? createPrivateKey(pem) : createPublicKey(pem);
    const signing = isPrivate ? key : undefined;
    return { signing, verifying: isPrivate ? createPublicKey(key) : key, value: pem };
  } catch {
    if (/BEGIN ENCRYPTED|^Proc-Type:.*ENCRYPTED/m.test(pem)) {
      throw invalid('is encrypted', 'Declare it with secret.key and its passphrase.');
    }
    throw invalid('cannot be parsed as PEM', 'Check the stored file: openssl pkey -in FILE -noout');
  }
}

const MIN_RSA_BITS = 2048;

function algorithmOf(key: KeyObject, invalid: Invalid): KeyAlgorithm {
  if (key.type === 'secret') return 'HS256';
  const { namedCurve = '', modulusLength = 0 } = key.asymmetricKeyDetails ?? {};
  const type = key.asymmetricKeyType ?? '';
  if (type.startsWith('rsa')) {
    if (modulusLength < MIN_RSA_BITS) {
      throw invalid(
        `is an RSA key of ${modulusLength} bits`,
        'Libraries refuse RSA keys of less than 2048 bits.',
      );
    }
    return type === 'rsa' ? 'RS256' : 'PS256';
  }
  const known = CURVES[type === 'ec' ? namedCurve : type];
  if (known !== undefined) return known;
  throw invalid(
    `is a key that tokens are not signed with (${type} ${namedCurve})`.replace(' )', ')'),
    OTHER_KEY,
  );
}

const OTHER_KEY = 'Use an RSA key, an EC key on P-256, P-384 or P-521, or an Ed25519 key.';

const CURVES: Readonly<Record<string, KeyAlgorithm>> = {
  prime256v1: 'ES256',
  secp384r1: 'ES384',
  secp521r1: 'ES512',
  ed25519: 'EdDSA',
  ed448: 'EdDSA',
};

/** A secret signs with any HMAC, an RSA key with both paddings; every other key has one algorithm. */
function fits(algorithm: KeyAlgorithm, usual: KeyAlgorithm): boolean {
  if (usual === 'RS256') return /^[RP]S/.test(algorithm);
  return /^(HS|PS)/.test(usual) ? algorithm.startsWith(usual.slice(0, 2)) : algorithm === usual;
}

const ID_BYTES = 12;

function idOf(key: KeyObject): string {
  const { createHash, hkdfSync } = builtin('crypto');
  if (key.type === 'secret') {
    // A label that nothing else is signed with. A signature of the key tells as much about it.
    return Buffer.from(hkdfSync('sha256', key, '', 'hot-secrets keyring id', ID_BYTES)).toString('base64url');
  }
  return createHash('sha256').update(thumbprintInput(key)).digest('base64url');
}

/** RFC 7638: the required members of the public JSON Web Key, in order. */
function thumbprintInput(key: KeyObject): string | Buffer {
  // Node has no JSON Web Key for RSA-PSS.
  if (key.asymmetricKeyType === 'rsa-pss') return key.export({ type: 'spki', format: 'der' });
  const { crv, e, kty, n, x, y } = key.export({ format: 'jwk' });
  return JSON.stringify({ crv, e, kty, n, x, y });
}
