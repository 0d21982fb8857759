import { randomUUID, X509Certificate } from 'node:crypto';
import { SecretsError } from '../../errors';
import { flag, type Option, readOptions, text } from '../../internal/options';

/** The attributes of a version of a secret. */
export interface KeyVaultSecretAttributes {
  /** `false`: reading it answers 403. Default: `true`. */
  readonly enabled?: boolean;
  /** Informational, as in the service: the value is served before this time too. */
  readonly notBefore?: Date;
  /** Informational, as in the service: the value is served after this time too. */
  readonly expiresOn?: Date;
  /** Describes the value, as in the service: `application/x-pem-file`, for example. */
  readonly contentType?: string;
  /** At most 15. */
  readonly tags?: Readonly<Record<string, string>>;
}

/** One version of a secret, as the vault keeps it. */
export interface SecretVersion extends KeyVaultSecretAttributes {
  /** 32 hexadecimal digits. */
  readonly id: string;
  readonly value: string;
  /** True for a certificate, whose key the vault holds too. */
  readonly managed: boolean;
  /** Seconds since the epoch: the service has no finer times. */
  readonly created: number;
  readonly updated: number;
}

/** A secret with all its versions, the current one last. */
export interface VaultSecret {
  /** As it was first written; names are looked up regardless of letter case. */
  readonly name: string;
  readonly versions: SecretVersion[];
  deleted: boolean;
}

const NAME = /^[0-9A-Za-z-]{1,127}$/;
const MAX_VALUE_BYTES = 25 * 1024;
const MAX_TAGS = 15;

/** The secrets in the vault. */
export class VaultContent {
  readonly #secrets = new Map<string, VaultSecret>();

  /** The secrets that are not deleted, in the order of lists. */
  get secrets(): VaultSecret[] {
    const listed = [...this.#secrets].filter(([, { deleted }]) => !deleted);
    return listed.sort(([a], [b]) => (a < b ? -1 : 1)).map(([, secret]) => secret);
  }

  find(name: string): VaultSecret | undefined {
    const secret = this.#secrets.get(name.toLowerCase());
    return secret?.deleted ? undefined : secret;
  }

  set(name: string, value: string, given: KeyVaultSecretAttributes = {}, managed = false): string {
    assertStorable(name, value);
    const attributes = readAttributes(name, given);
    const now = seconds(Date.now());
    const id = randomUUID().replaceAll('-', '');
    const version = { ...attributes, id, value, managed, created: now, updated: now };
    const known = this.find(name);
    if (known === undefined) {
      this.#secrets.set(name.toLowerCase(), { name, versions: [version], deleted: false });
    } else {
      known.versions.push(version);
    }
    return id;
  }

  setCertificate(
    name: string,
    content: string | Uint8Array,
    attributes: KeyVaultSecretAttributes = {},
  ): string {
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
    if (version === undefined) throw unknownName(`"${name}" has no version ${id}`);
    const changed = readAttributes(name, attributes);
    secret.versions[index] = { ...version, ...changed, updated: seconds(Date.now()) };
  }

  delete(name: string): void {
    this.#known(name).deleted = true;
  }

  recover(name: string): void {
    const secret = this.#secrets.get(name.toLowerCase());
    if (secret === undefined) throw unknownName(`"${name}" was never in the vault`);
    secret.deleted = false;
  }

  #known(name: string): VaultSecret {
    const secret = this.find(name);
    if (secret === undefined) throw unknownName(`"${name}" is not in the vault`);
    return secret;
  }
}

/** Seconds since the epoch. */
export function seconds(ms: number): number {
  return Math.floor(ms / 1000);
}

function assertStorable(name: string, value: unknown): void {
  if (!NAME.test(name)) {
    const what = `${JSON.stringify(name)} cannot be the name of a secret in a vault`;
    throw new SecretsError('NAME_INVALID', what, { next: 'Use 1 to 127 letters, digits and "-".' });
  }
  if (typeof value !== 'string' || Buffer.byteLength(value) > MAX_VALUE_BYTES) {
    const what = `the value of "${name}" must be a string of at most ${MAX_VALUE_BYTES} bytes`;
    throw new SecretsError('OPTION_INVALID', what, { next: 'The service refuses longer values.' });
  }
}

/** Reads the attributes that were given; an update must not reset the others. */
function readAttributes(name: string, attributes: KeyVaultSecretAttributes = {}): KeyVaultSecretAttributes {
  const read = readOptions(`the secret "${name}"`, attributes, {
    enabled: flag(true),
    notBefore: date,
    expiresOn: date,
    contentType: text(),
    tags,
  });
  return Object.fromEntries(
    Object.entries(read).filter(([attribute]) => Object.hasOwn(attributes, attribute)),
  );
}

const date: Option<Date | undefined> = (given, reject) => {
  if (given === undefined) return undefined;
  return given instanceof Date && !Number.isNaN(given.getTime()) ? given : reject('a valid Date');
};

const tags: Option<Readonly<Record<string, string>> | undefined> = (given, reject) => {
  if (given === undefined) return undefined;
  if (typeof given !== 'object' || given === null || Object.keys(given).length > MAX_TAGS) {
    return reject(`an object of at most ${MAX_TAGS} tags`);
  }
  return given as Readonly<Record<string, string>>;
};

function validity(name: string, pem: string): KeyVaultSecretAttributes {
  try {
    const { validFrom, validTo } = new X509Certificate(pem);
    return { notBefore: new Date(validFrom), expiresOn: new Date(validTo) };
  } catch {
    throw new SecretsError(
      'CERTIFICATE_INVALID',
      `the PEM of "${name}" has no certificate that can be parsed`,
      {
        next: 'Pass the certificate and its private key in one PEM, or the bytes of a PFX.',
      },
    );
  }
}

function unknownName(what: string): SecretsError {
  return new SecretsError('NAME_UNKNOWN', what, { next: 'Add it with set().' });
}
