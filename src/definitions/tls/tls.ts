import { SecretsError } from '../../errors';
import {
  kindOf,
  type Option,
  oneOf,
  passed,
  readOptions,
  rejectUnknownOptions,
  text,
} from '../../internal/options';
import { type Lookup, type LookupOptions, lookup } from '../../secret/lookup';
import { assertNotEmpty, decodeUtf8, withoutNewline } from '../decode';
import {
  type Definition,
  define,
  definitionOptions,
  lookupOptions,
  type ValueTraits,
  whereOf,
} from '../definition';
import type { NodeForgeModule } from './legacy-pfx';
import type { TlsMaterial, TlsTrust } from './material';

/** One stored value: its alias, or an object with its alias and its names in the sources. */
export type TlsPart = string | (LookupOptions & { readonly alias: string });

/** A certificate with its key and, optionally, the certificates to verify peers with. */
export interface TlsPair {
  readonly cert: TlsPart;
  readonly key: TlsPart;
  readonly ca?: TlsPart;
}

export interface TrustOptions {
  /** How long `revealWithPrevious` returns the previous value after a rotation, in milliseconds. Default: 0. */
  readonly keepPreviousMs?: number | undefined;
}

export interface TlsOptions extends TrustOptions {
  /** The secret with the passphrase of an encrypted key or PFX. */
  readonly passphrase?: TlsPart | undefined;
  /** What to do with an expired certificate: `reject` (default) keeps the last good pair, `warn` uses it and reports an error. */
  readonly expired?: 'reject' | 'warn' | undefined;
  /** Host names to check the certificate against. A mismatch is a warning (`CERTIFICATE_HOST_MISMATCH`). Default: none. */
  readonly hostNames?: readonly string[] | undefined;
  /**
   * The `node-forge` package to use instead of the installed one, for a PFX with the encryption of Windows before 2022.
   */
  readonly nodeForge?: NodeForgeModule | undefined;
}

/** Options of a pair that is stored as one value. */
export interface TlsBundleOptions extends TlsOptions, LookupOptions {}

const hostNames: Option<readonly string[]> = (given = [], reject) =>
  Array.isArray(given) && given.every((one) => typeof one === 'string')
    ? given
    : reject('a list of host names');

const { keepPreviousMs } = definitionOptions;
const pairOptions = {
  passphrase: passed<TlsPart>(),
  expired: oneOf('reject', 'warn'),
  hostNames,
  keepPreviousMs,
  nodeForge: passed<NodeForgeModule>(),
};

type Reader = typeof import('./read-material');

// Most services declare no certificates, and do not pay for the code that reads them.
let reader: Reader | undefined;

async function loadReader(): Promise<Reader> {
  reader = await import('./read-material');
  return reader;
}

/**
 * Makes a definition, and begins to load what reads its value: when a certificate rotates, it has long been there.
 * @param traitsOf What it tells about a value, which was read and so after the code was loaded.
 */
function defineTls<T>(
  parts: Pick<Definition<T>, 'lookups' | 'keepPreviousMs'>,
  read: (reader: Reader, stored: readonly Uint8Array[]) => T | Promise<T>,
  traitsOf: (reader: Reader) => ValueTraits<T>,
): Definition<T> {
  // The first value is read when this is done, and then tells what is wrong.
  loadReader().catch(() => {});
  const traits = () => traitsOf(reader as Reader);
  return define<T>({
    ...parts,
    kind: 'tls',
    decode: (stored) =>
      reader === undefined ? loadReader().then((loaded) => read(loaded, stored)) : read(reader, stored),
    warnings: (value) => traits().warnings?.(value) ?? [],
    expiries: (value) => traits().expiries?.(value) ?? [],
    sensitive: (value) => traits().sensitive?.(value),
  });
}

export function tls(alias: string, options?: TlsBundleOptions): Definition<TlsMaterial>;
export function tls(parts: TlsPair, options?: TlsOptions): Definition<TlsMaterial>;
export function tls(parts: { readonly ca: TlsPart }, options?: TrustOptions): Definition<TlsTrust>;
export function tls(
  parts: string | TlsPair | { readonly ca: TlsPart },
  options?: TlsBundleOptions,
): Definition<TlsMaterial> | Definition<TlsTrust> {
  if (typeof parts !== 'object' || parts === null) {
    const where = whereOf('tls', parts);
    const read = readOptions(where, options, { ...pairOptions, ...lookupOptions });
    return material(where, { pair: [lookup(parts, options)], ca: undefined }, read);
  }
  const where = 'secret.tls({ … })';
  rejectUnknownOptions(`the first argument of ${where}`, parts, ['cert', 'key', 'ca']);
  const { cert, key, ca } = parts as Partial<TlsPair>;
  if (cert === undefined && key === undefined && ca !== undefined) return trust(where, ca, options);
  const read = readOptions(where, options, pairOptions);
  if (cert === undefined || key === undefined) {
    throw new SecretsError('OPTION_INVALID', `${where} needs both cert and key, or only ca`, {
      next: 'Add the missing part. If one value contains both, use secret.tls("name").',
    });
  }
  const lookups = {
    pair: [lookupOf(where, 'cert', cert), lookupOf(where, 'key', key)],
    ca: ca === undefined ? undefined : lookupOf(where, 'ca', ca),
  };
  return material(where, lookups, read);
}

function trust(where: string, ca: TlsPart, options: TrustOptions | undefined): Definition<TlsTrust> {
  const place = lookupOf(where, 'ca', ca);
  return defineTls<TlsTrust>(
    { lookups: [place], ...readOptions(where, options, { keepPreviousMs }) },
    ({ readTrust }, [stored]) => readTrust(place.name, stored as Uint8Array),
    ({ describeTrust }) => describeTrust,
  );
}

function material(
  where: string,
  { pair, ca }: { readonly pair: readonly Lookup[]; readonly ca: Lookup | undefined },
  options: ReturnType<typeof readOptions<typeof pairOptions>>,
): Definition<TlsMaterial> {
  const passphrase =
    options.passphrase === undefined ? undefined : lookupOf(where, 'passphrase', options.passphrase);
  const lookups = [...pair, ca, passphrase].filter((one) => one !== undefined);
  const [first] = pair as [Lookup];
  return defineTls<TlsMaterial>(
    { lookups, keepPreviousMs: options.keepPreviousMs },
    ({ readMaterial, readTrust }, stored) => {
      const bytesOf = (one: Lookup) => stored[lookups.indexOf(one)] as Uint8Array;
      for (const [index, { name }] of lookups.entries()) assertNotEmpty(name, stored[index]?.length ?? 0);
      return readMaterial({
        alias: first.name,
        pair: pair.map((one) => [one.name, bytesOf(one)]),
        ca: ca === undefined ? undefined : readTrust(ca.name, bytesOf(ca)).ca,
        passphrase:
          passphrase === undefined
            ? undefined
            : withoutNewline(decodeUtf8(passphrase.name, bytesOf(passphrase))),
        expired: options.expired,
        nodeForge: options.nodeForge,
      });
    },
    ({ describeMaterial }) => describeMaterial(first.name, options.hostNames),
  );
}

function lookupOf(where: string, part: string, given: TlsPart): Lookup {
  if (typeof given === 'string') return lookup(given);
  if (typeof given !== 'object' || given === null || typeof given.alias !== 'string') {
    const what = `${where}: \`${part}\` must be an alias or an object with an alias, not ${kindOf(given)}`;
    throw new SecretsError('OPTION_INVALID', what, { next: `Write ${part}: 'the-name'.` });
  }
  readOptions(`\`${part}\` of ${where}`, given, { ...lookupOptions, alias: text() });
  return lookup(given.alias, given);
}
