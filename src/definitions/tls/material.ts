import type { X509Certificate } from 'node:crypto';

/**
 * A checked certificate with its key, ready to be spread into Node's TLS options. Either `cert` and `key`, or `pfx`
 * (with `passphrase`, where it has one). Shared, not copied: treat it as read-only.
 */
export interface TlsMaterial {
  /** PEM: the leaf first, then its chain. */
  readonly cert?: string;
  /** PEM, decrypted. */
  readonly key?: string;
  /** PEM, one certificate each. */
  readonly ca?: string[];
  /** Decoded bytes of a PKCS#12 file. */
  readonly pfx?: Buffer;
  /** Opens `pfx`. */
  readonly passphrase?: string;
  /** The certificate that is shown to the other side. */
  readonly leaf: X509Certificate;
}

/** Certificates that are trusted, without a pair. */
export interface TlsTrust {
  /** PEM, one certificate each. */
  readonly ca: string[];
}
