import { generateKeyPair } from 'node:crypto';
import { promisify } from 'node:util';
import type { Jose } from '../../internal/peer';
import type { SigningKey } from './signing-key';

/** An RSA pair, PEM. */
export interface PemKeys {
  readonly publicKey: string;
  readonly privateKey: string;
}

// An RSA key takes a tenth of a second and more, and an emulator needs four. They are made once a process. Emulators that
// share them are strangers all the same: each names its authority and the keys of its tokens by ids of its own.
const pem = new Map<string, Promise<PemKeys>>();
const signing = new Map<string, Promise<Omit<SigningKey, 'kid'>>>();

/** The pair for a certificate. */
export function pemKeys(role: 'authority' | 'server'): Promise<PemKeys> {
  return once(pem, role, () =>
    promisify(generateKeyPair)('rsa', {
      modulusLength: 2048,
      publicKeyEncoding: { type: 'spki', format: 'pem' },
      privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    }),
  );
}

/** The pair for tokens. */
export async function signingKey(
  jose: Jose,
  role: 'entra' | 'cluster' | 'forger',
  kid: string,
): Promise<SigningKey> {
  const pair = await once(signing, role, () => jose.generateKeyPair('RS256'));
  return { kid, ...pair };
}

function once<T>(made: Map<string, Promise<T>>, role: string, make: () => Promise<T>): Promise<T> {
  const known = made.get(role) ?? make();
  made.set(role, known);
  return known;
}
