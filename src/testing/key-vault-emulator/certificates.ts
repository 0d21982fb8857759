import { randomBytes, randomUUID } from 'node:crypto';
import { loadPeer } from '../../internal/peer';
import { type PemKeys, pemKeys } from './keys';

/** The part of node-forge that is used here. */
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

/** What the server needs, and what its clients trust. PEM. */
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
 * Makes an authority and a certificate of it for `hosts` and 127.0.0.1. The authority's private key is used once, here.
 * @throws `PEER_MISSING` without the optional package node-forge.
 */
export async function createServerIdentity(hosts: readonly string[]): Promise<ServerIdentity> {
  const forge = loadPeer<Forge>('node-forge');
  const [authorityKeys, serverKeys] = await Promise.all([pemKeys('authority'), pemKeys('server')]);
  const signWith = forge.pki.privateKeyFromPem(authorityKeys.privateKey);
  // A name of its own: under one name, authorities with one key are the same to OpenSSL.
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
  // Positive, as RFC 5280 wants it.
  certificate.serialNumber = `01${randomBytes(15).toString('hex')}`;
  certificate.validity.notBefore = new Date(Date.now() - HOUR_MS);
  certificate.validity.notAfter = new Date(Date.now() + LIFETIME_MS);
  certificate.setSubject(subject);
  certificate.setIssuer(issuer);
  return certificate;
}
