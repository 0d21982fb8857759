import { randomUUID, X509Certificate } from 'node:crypto';
import { SecretsError } from '../../errors';
import { rejectUnknownOptions } from '../../internal/options';
import type { KeyVaultSecretAttributes } from './types';

/** One version of a secret, as the vault keeps it. */
export interface SecretVersion extends KeyVaultSecretAttributes {
  /** 32 hexadecimal digits. */
  readonly id: string;
  readonly value: string;
  /** Of a certificate: the vault holds its key, too. */
  readonly managed: boolean;
  /** Seconds since the epoch: the service has no finer ones. */
  readonly created: number;
  readonly updated: number;
}

/** A secret with all its versions, the current one last. */
export interface VaultSecret {
  /** As it was written first; names are looked up without regard to case. */
  readonly name: string;
  readonly versions: SecretVersion[];
  deleted: boolean;
}

const NAME = /^[0-9A-Za-z-]{1,127}$/;
const ATTRIBUTES = ['enabled', 'notBefore', 'expiresOn', 'contentType', 'tags'];
const MOST_BYTES = 25 * 1024;
const MOST_TAGS = 15;

/** What lies in the vault. */
export class VaultContent {
  readonly #secrets = new Map<string, VaultSecret>();

  /** Secrets that are not deleted, in the order of lists. */
  get secrets(): VaultSecret[] {
    const there = [...this.#secrets].filter(([, { deleted }]) => !deleted);
    return there.sort(([a], [b]) => (a < b ? -1 : 1)).map(([, secret]) => secret);
  }

  find(name: string): VaultSecret | undefined {
    const secret = this.#secrets.get(name.toLowerCase());
    return secret?.deleted ? undefined : secret;
  }

  set(name: string, value: string, attributes: KeyVaultSecretAttributes, managed = false): string {
    assertStorable(name, value, attributes);
    const now = seconds(Date.now());
    const id = randomUUID().replaceAll('-', '');
    const version = { ...attributes, id, value, managed, created: now, updated: now };
    const known = this.find(name);
    if (known === undefined)
      this.#secrets.set(name.toLowerCase(), { name, versions: [version], deleted: false });
    else known.versions.push(version);
    return id;
  }

  setCertificate(name: string, content: string | Uint8Array, attributes: KeyVaultSecretAttributes): string {
    if (typeof content === 'string') {
      const contentType = 'application/x-pem-file';
      return this.set(name, content, { ...validity(name, content), ...attributes, contentType }, true);
    }
    const value = Buffer.from(content).toString('base64');
    return this.set(name, value, { ...attributes, contentType: 'application/x-pkcs12' }, true);
  }

  update(name: string, attributes: KeyVaultSecretAttributes, id?: string): void {
    const secret = this.#known(name);
    const index =
      id === undefined ? secret.versions.length - 1 : secret.versions.findIndex((v) => v.id === id);
    const version = secret.versions[index];
    if (version === undefined) throw unknown(`"${name}" has no version ${id}`);
    assertStorable(name, version.value, attributes);
    secret.versions[index] = { ...version, ...attributes, updated: seconds(Date.now()) };
  }

  delete(name: string): void {
    this.#known(name).deleted = true;
  }

  recover(name: string): void {
    const secret = this.#secrets.get(name.toLowerCase());
    if (secret === undefined) throw unknown(`"${name}" was never in the vault`);
    secret.deleted = false;
  }

  #known(name: string): VaultSecret {
    const secret = this.find(name);
    if (secret === undefined) throw unknown(`"${name}" is not in the vault`);
    return secret;
  }
}

/** Seconds since the epoch. */
export function seconds(ms: number): number {
  return Math.floor(ms / 1000);
}

function assertStorable(name: string, value: unknown, attributes: KeyVaultSecretAttributes): void {
  const { tags = {} } = attributes;
  if (!NAME.test(name)) {
    throw new SecretsError(
      'NAME_INVALID',
      `${JSON.stringify(name)} cannot be the name of a secret in a vault`,
      {
        next: 'Use 1 to 127 letters, digits and "-".',
      },
    );
  }
  rejectUnknownOptions(`the secret "${name}"`, attributes, ATTRIBUTES);
  if (typeof value !== 'string' || Buffer.byteLength(value) > MOST_BYTES) {
    throw new SecretsError('OPTION_INVALID', `the value of "${name}" is not a string of at most 25 KiB`);
  }
  if (Object.keys(tags).length > MOST_TAGS) {
    throw new SecretsError('OPTION_INVALID', `"${name}" has more than ${MOST_TAGS} tags`);
  }
}

function validity(name: string, pem: string): KeyVaultSecretAttributes {
  try {
    const { validFrom, validTo } = new X509Certificate(pem);
    return { notBefore: new Date(validFrom), expiresOn: new Date(validTo) };
  } catch {
    throw new SecretsError('CERTIFICATE_INVALID', `the PEM of "${name}" holds no certificate that parses`, {
      next: 'Give the certificate and its private key in one PEM, or the bytes of a PFX.',
    });
  }
}

function unknown(what: string): SecretsError {
  return new SecretsError('NAME_UNKNOWN', what, { next: 'Add it with set().' });
}
