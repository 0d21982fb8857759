import { generateKeyPair, randomBytes, randomUUID } from 'node:crypto';
import { promisify } from 'node:util';
import { type Jose, type ModuleWith, peer } from '../../internal/peer';

/** An RSA key pair in PEM. */
interface PemKeys {
  readonly publicKey: string;
  readonly privateKey: string;
}

/** A key pair for tokens, which clients look up by `kid`. */
export interface SigningKey {
  readonly kid: string;
  readonly privateKey: CryptoKey;
  readonly publicKey: CryptoKey;
}

type CryptoKey = Awaited<ReturnType<Jose['generateKeyPair']>>['privateKey'];

// An RSA key takes a tenth of a second or more, and an emulator needs four, so they are made once for each process.
// Emulators that share them still do not trust each other: each has its own ids for its authority and its token keys.
const pemKeys = new Map<string, Promise<PemKeys>>();
const signingKeys = new Map<string, Promise<Omit<SigningKey, 'kid'>>>();

/** The key pair for the tokens of one role. */
export async function signingKey(
  jose: Jose,
  role: 'entra' | 'cluster' | 'forger',
  kid: string,
): Promise<SigningKey> {
  return { kid, ...(await madeOnce(signingKeys, role, () => jose.generateKeyPair('RS256'))) };
}

function certificateKeys(role: 'authority' | 'server'): Promise<PemKeys> {
  return madeOnce(pemKeys, role, () =>
    promisify(generateKeyPair)('rsa', {
      modulusLength: 2048,
      publicKeyEncoding: { type: 'spki', format: 'pem' },
      privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    }),
  );
}

function madeOnce<T>(made: Map<string, Promise<T>>, role: string, make: () => Promise<T>): Promise<T> {
  const known = made.get(role) ?? make();
  made.set(role, known);
  return known;
}

const FORGE_USES = ['md', 'pki'] as const;

/** What the emulator needs of the `node-forge` package. */
export type EmulatorForge = ModuleWith<(typeof FORGE_USES)[number]>;

/** The part of node-forge that is used. */
interface Forge {
  readonly md: { readonly sha256: { create(): object } };
  readonly pki: {
    createCertificate(): ForgeCertificate;
    privateKeyFromPem(pem: string): object;
    publicKeyFromPem(pem: string): object;
    certificateToPem(certificate: ForgeCertificate): string;
  };
}

interface ForgeCertificate {
  publicKey: object;
  serialNumber: string;
  readonly validity: { notBefore: Date; notAfter: Date };
  setSubject(attributes: readonly object[]): void;
  setIssuer(attributes: readonly object[]): void;
  setExtensions(extensions: readonly object[]): void;
  generateSubjectKeyIdentifier(): { getBytes(): string };
  sign(key: object, digest: object): void;
}

/** The server's certificate and key, and the authority that its clients trust, in PEM. */
export interface ServerIdentity {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

const HOUR_MS = 3_600_000;
const LIFETIME_MS = 365 * 24 * HOUR_MS;
const SUBJECT_ALT_DNS = 2;
const SUBJECT_ALT_IP = 7;

/**
 * Makes an authority, and lets it issue a certificate for `hosts` and 127.0.0.1. Only this function uses the authority's key.
 * @throws `PEER_MISSING`, `PEER_UNSUPPORTED`: it needs the optional package node-forge.
 */
export async function createServerIdentity(
  hosts: readonly string[],
  nodeForge: EmulatorForge | undefined,
): Promise<ServerIdentity> {
  const forge = peer<Forge>('node-forge', FORGE_USES, nodeForge);
  const [authorityKeys, serverKeys] = await Promise.all([
    certificateKeys('authority'),
    certificateKeys('server'),
  ]);
  const signWith = forge.pki.privateKeyFromPem(authorityKeys.privateKey);
  // Each authority has a unique name: OpenSSL takes authorities with the same name and key for the same one.
  const issuer = [{ shortName: 'CN', value: `Key Vault Emulator Authority ${randomUUID()}` }];

  const authority = unsigned(forge, authorityKeys, issuer, issuer);
  const authorityId = authority.generateSubjectKeyIdentifier().getBytes();
  authority.setExtensions([
    { name: 'basicConstraints', cA: true, critical: true },
    { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
    { name: 'subjectKeyIdentifier' },
  ]);
  authority.sign(signWith, forge.md.sha256.create());

  const server = unsigned(forge, serverKeys, [{ shortName: 'CN', value: hosts[0] }], issuer);
  server.setExtensions([
    { name: 'basicConstraints', cA: false, critical: true },
    { name: 'keyUsage', digitalSignature: true, keyEncipherment: true, critical: true },
    { name: 'extKeyUsage', serverAuth: true },
    { name: 'subjectKeyIdentifier' },
    { name: 'authorityKeyIdentifier', keyIdentifier: authorityId },
    {
      name: 'subjectAltName',
      altNames: [
        ...hosts.map((value) => ({ type: SUBJECT_ALT_DNS, value })),
        { type: SUBJECT_ALT_IP, ip: '127.0.0.1' },
      ],
    },
  ]);
  server.sign(signWith, forge.md.sha256.create());

  return {
    ca: forge.pki.certificateToPem(authority),
    cert: forge.pki.certificateToPem(server),
    key: serverKeys.privateKey,
  };
}

function unsigned(
  forge: Forge,
  { publicKey }: PemKeys,
  subject: readonly object[],
  issuer: readonly object[],
): ForgeCertificate {
  const certificate = forge.pki.createCertificate();
  certificate.publicKey = forge.pki.publicKeyFromPem(publicKey);
  // RFC 5280 requires a positive number.
  certificate.serialNumber = `01${randomBytes(15).toString('hex')}`;
  certificate.validity.notBefore = new Date(Date.now() - HOUR_MS);
  certificate.validity.notAfter = new Date(Date.now() + LIFETIME_MS);
  certificate.setSubject(subject);
  certificate.setIssuer(issuer);
  return certificate;
}
