import { isSecretsError, SecretsError } from '../../errors';
import { installCommand, type ModuleWith, peer } from '../../internal/peer';
import { pemOf } from './parts';
import { passphraseMissing, passphraseWrong } from './private-key';

const USES = ['asn1', 'pki', 'pkcs12'] as const;

/** The part of the `node-forge` module that is needed. */
export type NodeForgeModule = ModuleWith<(typeof USES)[number]>;

/** The part of node-forge that this file uses. */
interface Forge {
  readonly asn1: {
    fromDer(bytes: string): Asn1;
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
 * Reads a PFX with the encryption of Windows before 2022 (RC2-40, PKCS#12 KDF), which OpenSSL 3 refuses, with the optional
 * package node-forge. Returns its certificates and key as one PEM text.
 * @throws `PFX_UNSUPPORTED`, `PASSPHRASE_MISSING`, `PASSPHRASE_WRONG`.
 */
export function readLegacyPfx(
  alias: string,
  pfx: Buffer,
  passphrase: string | undefined,
  module: NodeForgeModule | undefined,
): string {
  const forge = loadForge(alias, module);
  try {
    const asn1 = forge.asn1.fromDer(pfx.toString('latin1'));
    // Without a passphrase, forge needs an empty string, because the key derivation includes it.
    const { safeContents } = forge.pkcs12.pkcs12FromAsn1(asn1, false, passphrase ?? '');
    return safeContents.flatMap(({ safeBags }) => safeBags.map((bag) => pemOfBag(forge, bag))).join('');
  } catch {
    // The passphrase must be wrong: OpenSSL could parse the file before it refused the cipher.
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

function loadForge(alias: string, module: NodeForgeModule | undefined): Forge {
  try {
    return peer<Forge>('node-forge', USES, module);
  } catch (error) {
    const what = `the PFX of "${alias}" is encrypted with RC2-40, which OpenSSL 3 refuses`;
    const advice = isSecretsError(error) ? error.next : `Run: ${installCommand('node-forge')}`;
    throw new SecretsError('PFX_UNSUPPORTED', what, {
      secret: alias,
      next:
        `${advice}. Or export it again: openssl pkcs12 -legacy -in OLD -nodes -out ALL.pem && ` +
        'openssl pkcs12 -export -in ALL.pem -out NEW',
    });
  }
}
