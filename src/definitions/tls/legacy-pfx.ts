import { isSecretsError, SecretsError } from '../../errors';
import { installCommand, type ModuleWith, peer } from '../../internal/peer';
import { isReadByForge, legacyCiphersOf } from './legacy-ciphers';
import { pemOf } from './parts';
import { passphraseMissing, passphraseWrong } from './private-key';

const USES = ['asn1', 'pki', 'pkcs12'] as const;

/** The part of the `node-forge` module that is needed. */
export type NodeForgeModule = ModuleWith<(typeof USES)[number]>;

/** The part of node-forge that this file uses. */
interface Forge {
  readonly asn1: {
    fromDer(bytes: string, options: { readonly parseAllBytes: boolean }): Asn1;
    toDer(asn1: Asn1): { getBytes(): string };
  };
  readonly pki: {
    readonly oids: Readonly<Record<'certBag' | 'keyBag' | 'pkcs8ShroudedKeyBag', string>>;
    certificateToAsn1(certificate: object): Asn1;
    privateKeyToAsn1(key: object): Asn1;
  };
  readonly pkcs12: {
    pkcs12FromAsn1(
      asn1: Asn1,
      strict: boolean,
      password: string,
    ): { readonly safeContents: readonly SafeContents[] };
  };
}

type Asn1 = object;

interface SafeContents {
  readonly safeBags: readonly Bag[];
}

interface Bag {
  readonly type: string;
  /** `null` for types that forge does not know, such as elliptic curves; `asn1` then has the structure. */
  readonly cert?: object | null;
  readonly key?: object | null;
  readonly asn1?: Asn1;
}

/**
 * Reads a PFX that OpenSSL 3 refuses, with the optional package node-forge: encrypted with RC2-40 (as by Windows before 2022),
 * or without a MAC. Returns its certificates and key as one PEM text.
 * @throws `PFX_UNSUPPORTED`, `PASSPHRASE_MISSING`, `PASSPHRASE_WRONG`.
 */
export function readLegacyPfx(
  alias: string,
  pfx: Buffer,
  passphrase: string | undefined,
  module: NodeForgeModule | undefined,
  hasMac: boolean,
): string {
  const ciphers = legacyCiphersOf(pfx);
  if (!isReadByForge(ciphers)) throw unsupported(alias, ciphers);
  const forge = loadForge(alias, ciphers, module);
  try {
    const asn1 = forge.asn1.fromDer(pfx.toString('latin1'), { parseAllBytes: false });
    // Without a passphrase, forge needs an empty string, because the key derivation includes it.
    const { safeContents } = forge.pkcs12.pkcs12FromAsn1(asn1, false, passphrase ?? '');
    return safeContents.flatMap(({ safeBags }) => safeBags.map((bag) => pemOfBag(forge, bag))).join('');
  } catch {
    // OpenSSL checked the passphrase with the MAC, before it refused the cipher.
    if (hasMac) throw unsupported(alias, ciphers);
    throw passphrase === undefined ? passphraseMissing(alias, 'PFX') : passphraseWrong(alias, 'PFX');
  }
}

function pemOfBag({ asn1, pki }: Forge, { type, cert, key, asn1: structure }: Bag): string {
  const der = (value: Asn1) => Buffer.from(asn1.toDer(value).getBytes(), 'latin1');
  if (type === pki.oids.certBag) {
    const known = cert ? pki.certificateToAsn1(cert) : structure;
    return known === undefined ? '' : pemOf('CERTIFICATE', der(known));
  }
  // Forge returns RSA keys, which become PKCS#1. Other keys stay in their stored PKCS#8.
  if (key) return pemOf('RSA PRIVATE KEY', der(pki.privateKeyToAsn1(key)));
  return structure === undefined ? '' : pemOf('PRIVATE KEY', der(structure));
}

function loadForge(alias: string, ciphers: readonly string[], module: NodeForgeModule | undefined): Forge {
  try {
    return peer<Forge>('node-forge', USES, module);
  } catch (error) {
    const advice = isSecretsError(error) ? error.next : `Run: ${installCommand('node-forge')}`;
    throw unsupported(alias, ciphers, `${advice}. Or export`);
  }
}

function unsupported(alias: string, ciphers: readonly string[], advice = 'Export'): SecretsError {
  const why = ciphers.length === 0 ? 'has no MAC' : `uses ${ciphers.join(' and ')}`;
  return new SecretsError('PFX_UNSUPPORTED', `the PFX of "${alias}" ${why}, which OpenSSL 3 refuses`, {
    secret: alias,
    next:
      `${advice} it again: openssl pkcs12 -legacy -in OLD -nodes -out ALL.pem && ` +
      'openssl pkcs12 -export -in ALL.pem -out NEW',
  });
}
