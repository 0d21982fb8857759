import { X509Certificate } from 'node:crypto';
import { DEFAULT_CIPHERS, type SecureContextOptions } from 'node:tls';
import { SecretsError } from '../../errors';

/** The signature algorithms that OpenSSL offers by default, by the type of the key. */
const SIGNATURES: Readonly<Record<string, readonly string[]>> = {
  ec: ['ecdsa_secp256r1_sha256', 'ecdsa_secp384r1_sha384', 'ecdsa_secp521r1_sha512'],
  ed25519: ['ed25519'],
  ed448: ['ed448'],
  'rsa-pss': ['rsa_pss_pss_sha256', 'rsa_pss_pss_sha384', 'rsa_pss_pss_sha512'],
  rsa: [
    ...['rsa_pss_rsae_sha256', 'rsa_pss_rsae_sha384', 'rsa_pss_rsae_sha512'],
    ...['rsa_pkcs1_sha256', 'rsa_pkcs1_sha384', 'rsa_pkcs1_sha512'],
  ],
};

const known = new WeakMap<SecureContextOptions, readonly string[]>();

/**
 * Completes the options of a server's default context so that a requested name shows its own certificate. For a name, Node
 * adds that certificate to the default one, which it replaces only if both have the same type of key. Of two types,
 * OpenSSL chooses by preference; these options put the types of the default last.
 * @throws `TLS_OPTIONS_INVALID` if no order serves every name.
 */
export function preferNames(
  name: string,
  options: SecureContextOptions,
  names: readonly SecureContextOptions[],
): SecureContextOptions {
  if (names.length === 0) return options;
  const own = keyTypes(options);
  const others = [...new Set(names.flatMap(keyTypes))];
  const last = own.length > 1 ? own.filter((type) => !others.includes(type)) : own;
  if (own.length > 1 && (others.length > 1 || last.length === own.length)) {
    const what = `the ${name} has several certificates, and names with other types of keys`;
    throw new SecretsError('TLS_OPTIONS_INVALID', what, {
      next: 'Give the server itself one certificate, or all names keys of one type.',
    });
  }
  // TLS 1.2 chooses the cipher first, and with it the type.
  const demoted = new Set(last.map((type) => (type.startsWith('rsa') ? '+aRSA' : '+aECDSA')));
  const ciphers = [options.ciphers ?? DEFAULT_CIPHERS, ...demoted].join(':');
  if (others.every((type) => own.includes(type)) && own.length <= 1) return { ...options, ciphers };
  return {
    ...options,
    ciphers,
    honorCipherOrder: true,
    sigalgs: ordered(options.sigalgs, last).join(':'),
  };
}

/** Moves the signatures of these types to the end. */
function ordered(given: string | undefined, last: readonly string[]): string[] {
  const all = given?.split(':') ?? Object.values(SIGNATURES).flat();
  const typeOf = (algorithm: string) => signatureType(algorithm.toLowerCase());
  const isLast = (algorithm: string) => last.some((type) => typeOf(algorithm).includes(type));
  return [...all.filter((one) => !isLast(one)), ...all.filter(isLast)];
}

/** The types of keys that sign with an algorithm, which OpenSSL also names like `RSA-PSS+SHA256` and `ECDSA+SHA256`. */
function signatureType(algorithm: string): string[] {
  if (algorithm.startsWith('ed')) return [algorithm];
  if (algorithm.startsWith('ecdsa')) return ['ec'];
  if (algorithm.startsWith('rsa_pss_pss')) return ['rsa-pss'];
  return algorithm.startsWith('rsa-pss+') || algorithm.startsWith('pss+') ? ['rsa', 'rsa-pss'] : ['rsa'];
}

function keyTypes(options: SecureContextOptions): readonly string[] {
  const types = known.get(options) ?? typesOf(options);
  known.set(options, types);
  return types;
}

function typesOf({ cert = [] }: SecureContextOptions): string[] {
  return [...new Set([cert].flat().map((pem) => new X509Certificate(pem).publicKey.asymmetricKeyType ?? ''))];
}
