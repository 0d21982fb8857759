import { SecretsError } from '../../errors';
import {
  flag,
  kindOf,
  type Option,
  oneOf,
  passed,
  readOptions,
  rejectUnknownOptions,
  text,
} from '../../internal/options';
import { type Lookup, type LookupOptions, lookup } from '../../secret/lookup';
import { trimmed } from '../characters';
import { assertNotEmpty, decodeUtf8 } from '../decode';
import {
  type Definition,
  type DefinitionOptions,
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
  /** The certificate, followed by its chain. */
  readonly cert: TlsPart;
  /** The private key of the certificate. */
  readonly key: TlsPart;
  /** With `optional: true`, a `ca` that is missing or empty is left out: Node then trusts public authorities. */
  readonly ca?: TlsPart | OptionalTlsPart;
}

/** A part that may be missing or empty. */
export type OptionalTlsPart = LookupOptions & {
  readonly alias: string;
  readonly optional?: boolean | undefined;
};

/** Options of authorities without a certificate: `secret.tls({ ca })`. */
export interface TrustOptions {
  /** How long `revealWithPrevious` returns the previous value after a rotation, in milliseconds. Default: 0. */
  readonly keepPreviousMs?: number | undefined;
  /** Days before expiry at which `expiring` events announce it; `[]` for never. Default: the thresholds of the store. */
  readonly expiryThresholdsDays?: readonly number[] | undefined;
}

/** Options of a certificate with its key. */
export interface TlsOptions extends TrustOptions, Pick<DefinitionOptions, 'unresolved'> {
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

const { keepPreviousMs, expiryThresholdsDays, unresolved } = definitionOptions;
const pairOptions = {
  passphrase: passed<TlsPart>(),
  expired: oneOf('reject', 'warn'),
  hostNames,
  keepPreviousMs,
  expiryThresholdsDays,
  unresolved,
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
export function defineTls<T>(
  parts: Omit<Definition<T>, 'kind' | 'required' | 'optional' | 'decode' | keyof ValueTraits<T>>,
  read: (reader: Reader, stored: readonly Uint8Array[]) => T | Promise<T>,
  traitsOf: (reader: Reader) => ValueTraits<T>,
  kind = 'tls',
): Definition<T> {
  // The first value is read when this is done, and then tells what is wrong.
  loadReader().catch(() => {});
  const traits = () => traitsOf(reader as Reader);
  return define<T>({
    ...parts,
    kind,
    decode: (stored) =>
      reader === undefined ? loadReader().then((loaded) => read(loaded, stored)) : read(reader, stored),
    warnings: (value) => traits().warnings?.(value) ?? [],
    expiries: (value) => traits().expiries?.(value) ?? [],
    isSame: (value, other) => traits().isSame?.(value, other) === true,
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
    ca: ca === undefined ? undefined : lookupOf(where, 'ca', ca, { optional: flag(false) }),
    optionalCa: typeof ca === 'object' && (ca as OptionalTlsPart).optional === true,
  };
  return material(where, lookups, read);
}

function trust(where: string, ca: TlsPart, options: TrustOptions | undefined): Definition<TlsTrust> {
  const place = lookupOf(where, 'ca', ca);
  return defineTls<TlsTrust>(
    {
      lookups: [place],
      shareable: [place],
      // cert-manager and trust bundles of Kubernetes write an empty file where there is none.
      blankIsAbsent: true,
      ...readOptions(where, options, { keepPreviousMs, expiryThresholdsDays }),
    },
    ({ readTrust }, [stored]) => readTrust(place.name, stored as Uint8Array),
    ({ describeTrust }) => describeTrust,
  );
}

function material(
  where: string,
  {
    pair,
    ca,
    optionalCa = false,
  }: { readonly pair: readonly Lookup[]; readonly ca: Lookup | undefined; readonly optionalCa?: boolean },
  options: ReturnType<typeof readOptions<typeof pairOptions>>,
): Definition<TlsMaterial> {
  const passphrase =
    options.passphrase === undefined ? undefined : lookupOf(where, 'passphrase', options.passphrase);
  const lookups = [...pair, ca, passphrase].filter((one) => one !== undefined);
  const [first] = pair as [Lookup];
  return defineTls<TlsMaterial>(
    {
      lookups,
      shareable: [ca, passphrase].filter((one) => one !== undefined),
      optionalParts: ca !== undefined && optionalCa ? [ca] : undefined,
      keepPreviousMs: options.keepPreviousMs,
      expiryThresholdsDays: options.expiryThresholdsDays,
      unresolved: options.unresolved,
    },
    ({ readMaterial, readTrust }, stored) => {
      const bytesOf = (one: Lookup) => stored[lookups.indexOf(one)] as Uint8Array;
      const hasCa = ca !== undefined && bytesOf(ca).length > 0;
      if (ca !== undefined && !hasCa && !optionalCa) throw emptyAuthorities(ca.name);
      for (const one of lookups) if (one !== ca) assertNotEmpty(one.name, bytesOf(one).length);
      return readMaterial({
        alias: first.name,
        pair: pair.map((one) => [one.name, bytesOf(one)]),
        ca: hasCa ? readTrust(ca.name, bytesOf(ca)).ca : undefined,
        passphrase: passphrase && passphraseFrom(passphrase, bytesOf(passphrase)),
        expired: options.expired,
        nodeForge: options.nodeForge,
      });
    },
    ({ describeMaterial }) => describeMaterial(first.name, options.hostNames),
  );
}

export function passphraseFrom({ name }: Lookup, stored: Uint8Array): string {
  return trimmed(decodeUtf8(name, stored), 'newline');
}

function emptyAuthorities(name: string): SecretsError {
  return new SecretsError('VALUE_EMPTY', `the value of "${name}" is empty`, {
    secret: name,
    next: `Write the authorities, or declare them as ca: { alias: '${name}', optional: true } to go without.`,
  });
}

export function lookupOf(
  where: string,
  part: string,
  given: TlsPart,
  more: Readonly<Record<string, Option<unknown>>> = {},
): Lookup {
  if (typeof given === 'string') return lookup(given);
  if (typeof given !== 'object' || given === null || typeof given.alias !== 'string') {
    const what = `${where}: \`${part}\` must be an alias or an object with an alias, not ${kindOf(given)}`;
    throw new SecretsError('OPTION_INVALID', what, { next: `Write ${part}: 'the-name'.` });
  }
  readOptions(`\`${part}\` of ${where}`, given, { ...lookupOptions, alias: text(), ...more });
  return lookup(given.alias, given);
}
