import { SecretsError } from '../../errors';
import { assertNotEmpty } from '../decode';
import { assertValidNow, orderChain } from './certificates';
import { assertChain, assertIssuersValidNow } from './chain';
import type { ForeignFormat } from './foreign-formats';
import type { NodeForgeModule } from './legacy-pfx';
import { remember, type TlsMaterial, type TlsTrust } from './material';
import { mergeTlsParts, parseTlsParts, pemOf, type TlsParts } from './parts';
import { openPfx } from './pfx';
import { readPrivateKey } from './private-key';

export { describeMaterial, describeTrust } from './material';
export { describeKey, readKey } from './read-key';

/** The stored values of one pair. */
export interface StoredPair {
  /** The name of the pair in errors. */
  readonly alias: string;
  /** The certificate and key, in one or two stored values, with their aliases. */
  readonly pair: readonly (readonly [alias: string, stored: Uint8Array])[];
  readonly ca: string[] | undefined;
  readonly passphrase: string | undefined;
  readonly expired: 'reject' | 'warn';
  readonly nodeForge: NodeForgeModule | undefined;
}

/**
 * Reads and validates a pair: both halves parse, the key belongs to the leaf, the dates are valid, and the
 * issuers fit. Puts the leaf first.
 * @throws `CERTIFICATE_…`, `PRIVATE_KEY_…`, `PASSPHRASE_…`, `PFX_…`.
 */
export function readMaterial(stored: StoredPair): TlsMaterial {
  const parts = mergeTlsParts(
    stored.pair.map(([alias, bytes], index) =>
      parseTlsParts(alias, bytes, index === 1 ? 'private key' : 'certificate'),
    ),
  );
  const [pfx] = parts.pfx;
  if (pfx === undefined) return fromPem(stored, parts);
  if (parts.pfx.length > 1 || parts.keys.length > 0 || stored.pair.length > 1) {
    throw new SecretsError('PFX_INVALID', `"${stored.alias}" is a PFX, but PEM is expected`, {
      secret: stored.alias,
      next: 'Declare it as secret.tls("name"): a PFX contains both certificate and key.',
    });
  }
  const pem = openPfx(stored.alias, pfx, stored.passphrase, stored.nodeForge);
  return fromPem(stored, parseTlsParts(stored.alias, Buffer.from(pem)));
}

function fromPem({ alias, ca, passphrase, expired }: StoredPair, parts: TlsParts): TlsMaterial {
  const key = readPrivateKey(alias, parts.keys, passphrase);
  if (parts.certificates.length === 0) throw certificateMissing(alias, key !== undefined, parts);
  if (key === undefined) throw keyMissing(alias, parts);
  const chain = orderChain(parts.certificates, key.key);
  if (chain === undefined) throw mismatch(alias);
  const { leaf, issuers, unrelated } = chain;
  assertValidNow(alias, leaf, expired);
  assertChain(alias, leaf, [...issuers, ...unrelated]);
  assertIssuersValidNow(alias, leaf, issuers, expired);
  const cert = [leaf, ...issuers].map(({ raw }) => pemOf('CERTIFICATE', raw)).join('');
  const trusted = ca === undefined ? {} : { ca };
  return remember({ cert, key: key.pem, ...trusted, leaf }, { issuers, unrelated: unrelated.length });
}

/**
 * Reads certificates to trust.
 * @throws `VALUE_EMPTY`, `CERTIFICATE_MISSING`, `CERTIFICATE_INVALID`.
 */
export function readTrust(alias: string, stored: Uint8Array): TlsTrust {
  assertNotEmpty(alias, stored.length);
  const { certificates, others, pfx } = parseTlsParts(alias, stored);
  const [foreign] = others;
  if (certificates.length === 0 && pfx.length > 0) {
    throw new SecretsError('CERTIFICATE_INVALID', `"${alias}" is a PKCS#12 truststore, but PEM is expected`, {
      secret: alias,
      next: 'Convert it: openssl pkcs12 -in FILE -nokeys -out NEW',
    });
  }
  if (certificates.length === 0 && foreign !== undefined) throw onlyForeign(alias, foreign);
  if (certificates.length === 0) {
    throw new SecretsError('CERTIFICATE_MISSING', `"${alias}" has no certificate to trust`, {
      secret: alias,
      next: 'Store the certificates of the authorities to trust, as PEM.',
    });
  }
  return { ca: certificates.map(({ raw }) => pemOf('CERTIFICATE', raw)) };
}

function onlyForeign(alias: string, { what, next }: ForeignFormat): SecretsError {
  return new SecretsError('CERTIFICATE_MISSING', `"${alias}" has ${what}, but no certificate`, {
    secret: alias,
    next,
  });
}

function certificateMissing(alias: string, withKey: boolean, { others: [foreign] }: TlsParts): SecretsError {
  if (foreign !== undefined) return onlyForeign(alias, foreign);
  const what = withKey ? `"${alias}" has a private key but no certificate` : `"${alias}" has no certificate`;
  return new SecretsError('CERTIFICATE_MISSING', what, {
    secret: alias,
    next: 'Store the certificate, followed by its chain, as PEM.',
  });
}

function keyMissing(alias: string, { others }: TlsParts): SecretsError {
  const what = others.some((one) => one.what.includes('public key'))
    ? `"${alias}" has a public key but no private key`
    : `"${alias}" has a certificate but no private key`;
  return new SecretsError('PRIVATE_KEY_MISSING', what, {
    secret: alias,
    next: 'Store the key too. A Key Vault certificate includes its key only with objectType: secret in the SecretProviderClass.',
  });
}

function mismatch(alias: string): SecretsError {
  return new SecretsError(
    'PRIVATE_KEY_MISMATCH',
    `the private key of "${alias}" belongs to another certificate`,
    {
      secret: alias,
      next: 'Store the certificate and key that were issued together. One of them may be outdated.',
    },
  );
}
