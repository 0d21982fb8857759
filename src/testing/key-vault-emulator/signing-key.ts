import type { Jose } from '../../internal/peer';

/** A signing key that others know by `kid`. */
export interface SigningKey {
  readonly kid: string;
  readonly privateKey: CryptoKey;
  readonly publicKey: CryptoKey;
}

type CryptoKey = Awaited<ReturnType<Jose['generateKeyPair']>>['privateKey'];
