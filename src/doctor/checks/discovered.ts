import { X509Certificate } from 'node:crypto';
import type { Definition } from '../../definitions/definition';
import { secret } from '../../definitions/secret';
import type { KeyMaterial, TlsTrust } from '../../definitions/tls/material';
import { isSecretsError, type SecretsError } from '../../errors';
import { environmentName, lookup, vaultName } from '../../secret/lookup';
import type { FoundReading } from '../../sources/source';
import { type About, type Finding, findingOf } from '../findings';
import { checkTraits, clashes, type Picture } from './declared';
import { decoded } from './decoded';
import { checkPem, checkUndeclared, isPfx } from './text';

/** A file of which nobody said what it holds. */
interface StoredFile {
  readonly name: string;
  readonly reading: FoundReading;
}

/** What a file with certificates or keys holds. */
interface TlsFile extends StoredFile {
  readonly certificates: readonly X509Certificate[];
  readonly key: KeyMaterial | undefined;
  readonly isPfx: boolean;
}

/** Checks every file of a mount as what it appears to be: certificates and keys in pairs, everything else as text. */
export async function checkDiscovered({ readings }: Picture): Promise<Finding[]> {
  const files = [...readings].flatMap(([name, reading]) =>
    reading.status === 'found' ? [{ name, reading }] : [],
  );
  const found: Finding[] = [];
  const tls: TlsFile[] = [];
  for (const file of files) {
    const about = { secret: file.name, place: file.reading.origin };
    if (!isName(file.name)) {
      found.push(...nameProblem(file.name, about));
    } else if (isTls(file.reading.bytes)) {
      found.push(...checkPem(Buffer.from(file.reading.bytes).toString('latin1'), about));
      const result = await readTls(file, about);
      if ('code' in result) found.push(result);
      else tls.push(result);
    } else {
      found.push(...(await checkUndeclared(file.name, file.reading.bytes, about)));
    }
  }
  return [...found, ...(await checkPairs(tls)), ...checkNames(files.map(({ name }) => name))];
}

/** PEM in any form, DER, and base64 of DER. */
function isTls(bytes: Uint8Array): boolean {
  if (bytes[0] === 0x30 && (bytes[1] ?? 0) >= 0x80) return true;
  const head = Buffer.from(bytes.subarray(0, 65_536)).toString('latin1');
  if (!/-----BEGIN [A-Z0-9 ]*(CERTIFICATE|PRIVATE KEY)-----/.test(head)) return false;
  return true;
}

async function readTls(file: StoredFile, about: About): Promise<TlsFile | Finding> {
  const { name, reading } = file;
  const text = Buffer.from(reading.bytes).toString('latin1');
  if (isPfx(reading.bytes)) return { ...file, certificates: [], key: undefined, isPfx: true };
  const isBinary = reading.bytes[0] === 0x30;
  const trust = await decoded<TlsTrust>(secret.tls({ ca: name }), [reading.bytes]);
  const key = await decoded<KeyMaterial>(secret.key(name), [reading.bytes]);
  const certificates = trust.value?.ca.map((pem) => new X509Certificate(pem)) ?? [];
  const wanted = { certificate: /CERTIFICATE-----/.test(text), key: /PRIVATE KEY-----/.test(text) };
  const failure =
    (wanted.key || (isBinary && certificates.length === 0) ? key.error : undefined) ??
    (wanted.certificate ? trust.error : undefined);
  if (failure !== undefined) return unreadable(failure, about);
  return { ...file, certificates, key: key.value, isPfx: false };
}

/** Nobody said here which secret has the passphrase. */
function unreadable(error: SecretsError, about: About): Finding {
  const level = error.code === 'PASSPHRASE_MISSING' ? 'note' : undefined;
  return findingOf(error, { ...about, level });
}

async function checkPairs(files: readonly TlsFile[]): Promise<Finding[]> {
  const found: Finding[] = [];
  const keys = files.filter(({ key, certificates }) => key !== undefined && certificates.length === 0);
  const leaves = files.filter((file) => file.key === undefined && isLeaf(file));
  for (const file of files) {
    const { name, certificates, key, reading } = file;
    const about = { secret: name, place: reading.origin };
    if (file.isPfx) found.push(...(await checkTls(secret.tls(name), [reading.bytes], about)));
    else if (certificates.length > 0 && key !== undefined) {
      found.push(...(await checkTls(secret.tls(name), [reading.bytes], about)));
    } else if (certificates.length > 0) {
      const partner = partnerOf(file, keys, leaves);
      if (partner !== undefined) {
        const definition = secret.tls({ cert: name, key: partner.name });
        found.push(...(await checkTls(definition, [reading.bytes, partner.reading.bytes], about)));
      } else {
        const definition = isLeaf(file) ? secret.tls(name) : secret.tls({ ca: name });
        found.push(...(await checkTls<unknown>(definition, [reading.bytes], about)));
      }
    }
  }
  return found;
}

/** A certificate that is not an authority needs its key. One that is may be there to be trusted, or be signed by itself. */
function isLeaf({ certificates }: TlsFile): boolean {
  return certificates.some(({ ca }) => !ca);
}

/** The key of a certificate; else the one with a name like it; else the only key that belongs to no certificate. */
function partnerOf(file: TlsFile, keys: readonly TlsFile[], leaves: readonly TlsFile[]): TlsFile | undefined {
  const { name, certificates } = file;
  const fits = (one: TlsFile, all: readonly X509Certificate[]) =>
    one.key !== undefined &&
    all.some((certificate) => certificate.checkPrivateKey(one.key?.keyObject as never));
  const own = keys.find((one) => fits(one, certificates));
  if (own !== undefined) return own;
  const free = keys.filter((one) => !leaves.some((leaf) => fits(one, leaf.certificates)));
  const named = free.filter((one) => stem(one.name) === stem(name));
  if (named.length > 0) return named[0];
  return free.length === 1 && leaves.length === 1 && leaves[0] === file ? free[0] : undefined;
}

/** `tls.crt` and `tls.key` → `tls`; `web-cert.pem` and `web-key.pem` → `web`. */
function stem(name: string): string {
  const parts = name.split(/[._-]+/);
  const kinds = /^(crt|cer|cert|certs|certificate|chain|fullchain|bundle|key|privkey|private|pem|der|\d+)$/i;
  return parts.filter((part) => !kinds.test(part)).join('.');
}

async function checkTls<T>(
  definition: Definition<T>,
  stored: readonly Uint8Array[],
  about: About,
): Promise<Finding[]> {
  const { value, error } = await decoded(definition, stored);
  if (error !== undefined) return [unreadable(error, about)];
  return checkTraits(definition as Definition<unknown>, value, about);
}

function nameProblem(name: string, about: About): Finding[] {
  try {
    lookup(name);
    return [];
  } catch (error) {
    if (!isSecretsError(error)) throw error;
    return [findingOf(error, about)];
  }
}

export function isName(name: string): boolean {
  return nameProblem(name, {}).length === 0;
}

/** Names of files that lead to the same variable or vault secret. */
function checkNames(names: readonly string[]): Finding[] {
  const takenBy = new Map<string, Set<string>>();
  for (const name of names.filter(isName)) {
    const places = [
      `the variable ${environmentName(name)}`,
      `the vault secret ${vaultName(name).toLowerCase()}`,
    ];
    for (const place of places) takenBy.set(place, (takenBy.get(place) ?? new Set()).add(name));
  }
  return clashes(takenBy);
}
