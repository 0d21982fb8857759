// @peculiar/x509 needs it to be loaded first.
import 'reflect-metadata';
import { createPrivateKey, createPublicKey, webcrypto } from 'node:crypto';
import { isIP } from 'node:net';
import * as x509 from '@peculiar/x509';

// Made with `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:secp256k1 -days 36500`; webcrypto does not know the curve.
export const SECP256K1 = {
  key: `-----BEGIN PRIVATE KEY-----
MIGEAgEAMBAGByqGSM49AgEGBSuBBAAKBG0wawIBAQQgROnFILUULJPe+Bd9qfFt
BKQG+PT1aX2sxOUrU8XiHEihRANCAAQpCwvlz0fYDWL5CJR5g5eG4KCfLcrSszLQ
jP8SCA5hmDnU9xuwjekKtxjP57NMgGC7Xt08te7EZ42VuitTpcLK
-----END PRIVATE KEY-----
`,
  cert: `-----BEGIN CERTIFICATE-----
MIIBbzCCARSgAwIBAgIUHUKWl8QqYAgCWG/4s0SalVXt5/kwCgYIKoZIzj0EAwIw
DTELMAkGA1UEAwwCazEwIBcNMjYxMTI3MTIyMzA1WhgPMjEyNjExMDMxMjIzMDVa
MA0xCzAJBgNVBAMMAmsxMFYwEAYHKoZIzj0CAQYFK4EEAAoDQgAEKQsL5c9H2A1i
+QiUeYOXhuCgny3K0rMy0Iz/EggOYZg51PcbsI3pCrcYz+ezTIBgu17dPLXuxGeN
lborU6XCyqNTMFEwHQYDVR0OBBYEFBJCC972hul+VE4/7G8QUdCg2LhKMB8GA1Ud
IwQYMBaAFBJCC972hul+VE4/7G8QUdCg2LhKMA8GA1UdEwEB/wQFMAMBAf8wCgYI
KoZIzj0EAwIDSQAwRgIhAIHOlB/YuudEVNJch/2Eb1u3TabLmOhCeM1k/JbF46Sv
AiEA0TjEX8mwoMFBlZ5/Lnvf7B/SMpj/SebQnE0wrlXMGZY=
-----END CERTIFICATE-----
`,
};

/** What to put into a certificate. */
export interface IssueOptions {
  /** Default: the first host. */
  readonly commonName?: string;
  /** DNS names or IPs. Default: `['localhost', '127.0.0.1']`. */
  readonly hosts?: readonly string[];
  /** Default: an hour ago, or a day before a `notAfter` that is earlier than that. */
  readonly notBefore?: Date;
  /** Default: in 90 days, or a day after a `notBefore` that is later than that. */
  readonly notAfter?: Date;
  /** P-256 or RSA with 2048 bits. Default: `'ec'`. */
  readonly key?: 'ec' | 'rsa';
  /** Issues a P-256 certificate for the key of this one, like a renewal that keeps its key. */
  readonly renews?: Issued;
  /** The extended key usage. Default: both. */
  readonly purposes?: readonly ('serverAuth' | 'clientAuth')[];
}

/** What to put into the certificate of an authority. */
export interface IntermediateOptions {
  readonly notAfter?: Date;
  /** Default: true. */
  readonly isAuthority?: boolean;
  /** How many authorities may stand below. */
  readonly pathLength?: number;
  /** Makes another certificate for the key of this authority. */
  readonly renews?: Authority;
}

/** A certificate for servers and clients, with its key. */
export interface Issued {
  /** PEM, the leaf alone. */
  readonly cert: string;
  /** PEM, PKCS#8. */
  readonly key: string;
  /** PEM: the leaf and the intermediates, without the root. */
  readonly chain: string;
}

/** A certificate authority. */
export interface Authority {
  /** PEM. */
  readonly cert: string;
  /** PEM, PKCS#8. */
  readonly key: string;
  issue(options?: IssueOptions): Promise<Issued>;
  /** An authority below this one. */
  intermediate(commonName?: string, options?: IntermediateOptions): Promise<Authority>;
}

interface Signer {
  readonly certificate: x509.X509Certificate;
  readonly keys: webcrypto.CryptoKeyPair;
}

const DAY_MS = 86_400_000;
const EC = { name: 'ECDSA', namedCurve: 'P-256' };
const EC_SIGNATURE = { name: 'ECDSA', hash: 'SHA-256' };
const RSA = {
  name: 'RSASSA-PKCS1-v1_5',
  hash: 'SHA-256',
  modulusLength: 2048,
  publicExponent: new Uint8Array([1, 0, 1]),
};

/**
 * Makes a root authority. Two authorities never trust each other's certificates, even under the same name.
 *
 * @example
 * ```ts
 * const authority = await createAuthority();
 * const { chain, key } = await authority.issue({ hosts: ['db.internal'] });
 * ```
 */
export async function createAuthority(commonName = 'Test Authority'): Promise<Authority> {
  const keys = await generateKeys('ec');
  return authority(await signAuthority(commonName, keys, undefined), keys, '');
}

async function authority(
  certificate: x509.X509Certificate,
  keys: webcrypto.CryptoKeyPair,
  intermediates: string,
): Promise<Authority> {
  const self: Signer = { certificate, keys };
  return {
    cert: pem(certificate),
    key: await keyPem(keys),
    async issue(options = {}) {
      const { key = 'ec', renews } = options;
      const leafKeys = await (renews === undefined ? generateKeys(key) : keysOf(renews));
      const cert = pem(await signLeaf(options, leafKeys, self));
      return { cert, key: await keyPem(leafKeys), chain: cert + intermediates };
    },
    async intermediate(commonName = 'Test Intermediate', options = {}) {
      const { renews } = options;
      const lowerKeys = await (renews === undefined ? generateKeys('ec') : keysOf(renews));
      const lower = await signAuthority(commonName, lowerKeys, self, options);
      return authority(lower, lowerKeys, pem(lower) + intermediates);
    },
  };
}

async function signAuthority(
  commonName: string,
  keys: webcrypto.CryptoKeyPair,
  parent: Signer | undefined,
  { notAfter, isAuthority = true, pathLength }: IntermediateOptions = {},
): Promise<x509.X509Certificate> {
  const now = Date.now();
  const { keyCertSign, cRLSign, digitalSignature } = x509.KeyUsageFlags;
  return sign([{ CN: [commonName] }], keys, parent, {
    // Longer on both sides than any leaf certificate of a test.
    notBefore: new Date(now - 3650 * DAY_MS),
    notAfter: notAfter ?? new Date(now + 3650 * DAY_MS),
    extensions: [
      new x509.BasicConstraintsExtension(isAuthority, pathLength, true),
      new x509.KeyUsagesExtension(keyCertSign | cRLSign | digitalSignature, true),
    ],
  });
}

async function signLeaf(
  { commonName, hosts = ['localhost', '127.0.0.1'], key = 'ec', purposes, ...dates }: IssueOptions,
  keys: webcrypto.CryptoKeyPair,
  issuer: Signer,
): Promise<x509.X509Certificate> {
  const { digitalSignature, keyEncipherment } = x509.KeyUsageFlags;
  const names = hosts.map((host) => ({ type: isIP(host) === 0 ? 'dns' : 'ip', value: host }) as const);
  return sign([{ CN: [commonName ?? hosts[0] ?? 'test'] }], keys, issuer, {
    ...validity(dates),
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(digitalSignature | (key === 'rsa' ? keyEncipherment : 0), true),
      new x509.ExtendedKeyUsageExtension(
        (purposes ?? ['serverAuth', 'clientAuth']).map((purpose) => x509.ExtendedKeyUsage[purpose]),
      ),
      ...(names.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension(names)]),
    ],
  });
}

async function sign(
  subject: x509.JsonName,
  keys: webcrypto.CryptoKeyPair,
  issuer: Signer | undefined,
  { extensions, ...params }: { notBefore: Date; notAfter: Date; extensions: x509.Extension[] },
): Promise<x509.X509Certificate> {
  const signer = issuer?.keys ?? keys;
  return x509.X509CertificateGenerator.create({
    ...params,
    subject,
    issuer: issuer?.certificate.subjectName.toJSON() ?? subject,
    publicKey: keys.publicKey,
    signingKey: signer.privateKey,
    signingAlgorithm: EC_SIGNATURE,
    extensions: [
      ...extensions,
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(signer.publicKey),
    ],
  });
}

function validity({ notBefore, notAfter }: Pick<IssueOptions, 'notBefore' | 'notAfter'>) {
  const now = Date.now();
  const start = notBefore?.getTime() ?? now - DAY_MS / 24;
  const end = notAfter?.getTime() ?? now + 90 * DAY_MS;
  return {
    notBefore: new Date(notBefore === undefined ? Math.min(start, end - DAY_MS) : start),
    notAfter: new Date(notAfter === undefined ? Math.max(end, start + DAY_MS) : end),
  };
}

async function generateKeys(kind: 'ec' | 'rsa'): Promise<webcrypto.CryptoKeyPair> {
  const usages: webcrypto.KeyUsage[] = ['sign', 'verify'];
  return kind === 'rsa'
    ? webcrypto.subtle.generateKey(RSA, true, usages)
    : webcrypto.subtle.generateKey(EC, true, usages);
}

async function keysOf({ key }: Pick<Issued, 'key'>): Promise<webcrypto.CryptoKeyPair> {
  const privateDer = createPrivateKey(key).export({ type: 'pkcs8', format: 'der' });
  const publicDer = createPublicKey(key).export({ type: 'spki', format: 'der' });
  const { subtle } = webcrypto;
  return {
    privateKey: await subtle.importKey('pkcs8', privateDer, EC, true, ['sign']),
    publicKey: await subtle.importKey('spki', publicDer, EC, true, ['verify']),
  };
}

async function keyPem({ privateKey }: webcrypto.CryptoKeyPair): Promise<string> {
  const der = await webcrypto.subtle.exportKey('pkcs8', privateKey);
  return `${x509.PemConverter.encode(der, 'PRIVATE KEY')}\n`;
}

function pem(certificate: x509.X509Certificate): string {
  return `${certificate.toString('pem')}\n`;
}
