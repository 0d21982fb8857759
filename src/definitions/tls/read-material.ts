import { SecretsError } from '../../errors';
import { orderChain } from './chain';
import type { TlsMaterial } from './material';
import { type TlsParts, takeApart, together } from './parts';
import { pemOf } from './pem';
import { openPfx } from './pfx';
import { readPrivateKey } from './private-key';
import { remember } from './traits';
import { assertValidNow } from './validity';

/** What was stored for one pair. */
export interface StoredPair {
  /** Names it in errors. */
  readonly alias: string;
  /** Certificate and key, in one value or in two, with their aliases. */
  readonly pair: readonly (readonly [alias: string, stored: Uint8Array])[];
  readonly ca?: string[];
  readonly passphrase?: string;
  readonly expired: 'reject' | 'warn';
}

/**
 * Reads and checks a pair: it parses, the key is that of the leaf, the leaf comes first, and its dates hold. A promise
 * only for a PFX.
 * @throws the codes `CERTIFICATE_…`, `PRIVATE_KEY_…`, `PASSPHRASE_…` and `PFX_…`.
 */
export function readMaterial(stored: StoredPair): TlsMaterial | Promise<TlsMaterial> {
  const parts = together(
    stored.pair.map(([alias, bytes], index) =>
      takeApart(alias, bytes, index === 1 ? 'private key' : 'certificate'),
    ),
  );
  const [pfx] = parts.pfx;
  if (pfx === undefined) return fromPem(stored, parts);
  if (parts.pfx.length > 1 || parts.keys.length > 0 || stored.pair.length > 1) {
    throw new SecretsError('PFX_INVALID', `"${stored.alias}" holds a PFX where PEM belongs`, {
      secret: stored.alias,
      next: 'A PFX holds both halves: declare it as secret.tls("name").',
    });
  }
  return fromPfx(stored, pfx);
}

function fromPem({ alias, ca, passphrase, expired }: StoredPair, parts: TlsParts): TlsMaterial {
  const key = readPrivateKey(alias, parts.keys, passphrase);
  if (parts.certificates.length === 0) throw certificateMissing(alias, key !== undefined);
  if (key === undefined) throw keyMissing(alias, parts);
  const chain = orderChain(parts.certificates, key.key);
  if (chain === undefined) throw mismatch(alias);
  assertValidNow(alias, chain.leaf, expired);
  const cert = [chain.leaf, ...chain.issuers].map(({ raw }) => pemOf('CERTIFICATE', raw)).join('');
  const trusted = ca === undefined ? {} : { ca };
  return remember({ cert, key: key.pem, ...trusted, leaf: chain.leaf }, chain);
}

async function fromPfx(stored: StoredPair, pfx: Buffer): Promise<TlsMaterial> {
  const { alias, ca, passphrase, expired } = stored;
  const opened = await openPfx(alias, pfx, passphrase);
  if ('pem' in opened) return fromPem(stored, takeApart(alias, Buffer.from(opened.pem)));
  assertValidNow(alias, opened.leaf, expired);
  const trusted = ca === undefined ? {} : { ca };
  const opens = passphrase === undefined ? {} : { passphrase };
  return remember(
    { pfx, ...opens, ...trusted, leaf: opened.leaf },
    { issuers: opened.issuers, unrelated: 0 },
  );
}

function certificateMissing(alias: string, withKey: boolean): SecretsError {
  const what = withKey
    ? `"${alias}" holds a private key and no certificate`
    : `"${alias}" holds no certificate`;
  return new SecretsError('CERTIFICATE_MISSING', what, {
    secret: alias,
    next: 'Store the certificate, and its chain after it, as PEM.',
  });
}

function keyMissing(alias: string, { others }: TlsParts): SecretsError {
  const what = others.includes('PUBLIC KEY')
    ? `"${alias}" holds a public key and no private key`
    : `"${alias}" holds a certificate and no private key`;
  return new SecretsError('PRIVATE_KEY_MISSING', what, {
    secret: alias,
    next: 'Store the key too. A Key Vault certificate comes with its key only as objectType: secret in the SecretProviderClass.',
  });
}

function mismatch(alias: string): SecretsError {
  return new SecretsError(
    'PRIVATE_KEY_MISMATCH',
    `the private key of "${alias}" is that of another certificate`,
    {
      secret: alias,
      next: 'Store both halves of one issue; they may have been written at different times.',
    },
  );
}
