import { SecretsError } from '../../errors';
import { rejectUnknownOptions } from '../../internal/options';
import { type Lookup, type LookupOptions, lookup } from '../../secret/lookup';
import { assertNotEmpty, decodeUtf8, withoutNewline } from '../decode';
import { type Definition, define } from '../definition';
import type { TlsMaterial, TlsTrust } from './material';
import { readMaterial } from './read-material';
import { readTrust } from './read-trust';
import { describeMaterial, describeTrust } from './traits';

/** One stored value: its alias, or with the places where it lies. */
export type TlsPart = string | (LookupOptions & { readonly alias: string });

/** A certificate with its key, and optionally the certificates that the other side is checked against. */
export interface TlsPair {
  readonly cert: TlsPart;
  readonly key: TlsPart;
  readonly ca?: TlsPart;
}

export interface TrustOptions {
  /** Milliseconds for which `revealWithPrevious` still returns the previous value after a rotation. Default: 0. */
  readonly keepPreviousMs?: number;
}

export interface TlsOptions extends TrustOptions {
  /** The secret that opens an encrypted key or PFX. */
  readonly passphrase?: TlsPart;
  /** A certificate that has expired: `reject` (default) keeps the last good one, `warn` uses it and says so. */
  readonly expired?: 'reject' | 'warn';
  /** What the certificate should be for; a warning when it is not (`CERTIFICATE_HOST_MISMATCH`). Default: not checked. */
  readonly hostNames?: readonly string[];
}

/** Options of a pair in one stored value. */
export interface TlsBundleOptions extends TlsOptions, LookupOptions {}

export function tls(alias: string, options?: TlsBundleOptions): Definition<TlsMaterial>;
export function tls(parts: TlsPair, options?: TlsOptions): Definition<TlsMaterial>;
export function tls(parts: { readonly ca: TlsPart }, options?: TrustOptions): Definition<TlsTrust>;
export function tls(
  parts: string | TlsPair | { readonly ca: TlsPart },
  options: TlsBundleOptions = {},
): Definition<TlsMaterial> | Definition<TlsTrust> {
  if (typeof parts === 'string') return bundle(parts, options);
  const where = 'secret.tls({ … })';
  rejectUnknownOptions(`the first argument of ${where}`, parts, ['cert', 'key', 'ca']);
  return 'cert' in parts || 'key' in parts
    ? pair(where, parts as TlsPair, options)
    : trust(where, parts, options);
}

const PAIR_OPTIONS = ['passphrase', 'expired', 'hostNames', 'keepPreviousMs'];

function bundle(alias: string, options: TlsBundleOptions): Definition<TlsMaterial> {
  const where = `secret.tls("${alias}")`;
  rejectUnknownOptions(where, options, [...PAIR_OPTIONS, 'file', 'env', 'vault']);
  return material(where, { pair: [lookup(alias, options)] }, options);
}

function pair(where: string, { cert, key, ca }: TlsPair, options: TlsOptions): Definition<TlsMaterial> {
  rejectUnknownOptions(where, options, PAIR_OPTIONS);
  if (cert === undefined || key === undefined) {
    throw new SecretsError('OPTION_INVALID', `${where} has only one half of a pair`, {
      next: 'Give cert and key, or ca alone; a single file with both is secret.tls("name").',
    });
  }
  const lookups = {
    pair: [lookupOf(cert), lookupOf(key)],
    ...(ca === undefined ? {} : { ca: lookupOf(ca) }),
  };
  return material(where, lookups, options);
}

function trust(where: string, { ca }: { ca: TlsPart }, options: TrustOptions): Definition<TlsTrust> {
  rejectUnknownOptions(where, options, ['keepPreviousMs']);
  const place = lookupOf(ca);
  return define<TlsTrust>({
    kind: 'tls',
    lookups: [place],
    keepPreviousMs: options.keepPreviousMs,
    decode: ([stored]) => readTrust(place.name, stored as Uint8Array),
    ...describeTrust,
  });
}

function material(
  where: string,
  lookups: { readonly pair: readonly Lookup[]; readonly ca?: Lookup },
  { passphrase, expired = 'reject', hostNames = [], keepPreviousMs }: TlsOptions,
): Definition<TlsMaterial> {
  if (expired !== 'reject' && expired !== 'warn') {
    throw new SecretsError('OPTION_INVALID', `expired of ${where} is neither 'reject' nor 'warn'`);
  }
  const phrase = passphrase === undefined ? undefined : lookupOf(passphrase);
  const places = [...lookups.pair, lookups.ca, phrase].filter((place) => place !== undefined);
  const [first] = lookups.pair as [Lookup];
  return define<TlsMaterial>({
    kind: 'tls',
    lookups: places,
    keepPreviousMs,
    decode(stored) {
      const bytesOf = (place: Lookup) => stored[places.indexOf(place)] as Uint8Array;
      for (const [index, place] of places.entries()) assertNotEmpty(place.name, stored[index]?.length ?? 0);
      return readMaterial({
        alias: first.name,
        pair: lookups.pair.map((place) => [place.name, bytesOf(place)]),
        ...(lookups.ca === undefined ? {} : { ca: readTrust(lookups.ca.name, bytesOf(lookups.ca)).ca }),
        ...(phrase === undefined
          ? {}
          : { passphrase: withoutNewline(decodeUtf8(phrase.name, bytesOf(phrase))) }),
        expired,
      });
    },
    ...describeMaterial(first.name, hostNames),
  });
}

function lookupOf(part: TlsPart): Lookup {
  return typeof part === 'string' ? lookup(part) : lookup(part.alias, part);
}
