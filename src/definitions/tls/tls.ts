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
import { type Definition, define, definitionOptions, lookupOptions, whereOf } from '../definition';
import type { NodeForgeModule } from './legacy-pfx';
import { describeMaterial, describeTrust, type TlsMaterial, type TlsTrust } from './material';
import { readMaterial, readTrust } from './read-material';

/** One stored value: its alias, or its alias with its places. */
export type TlsPart = string | (LookupOptions & { readonly alias: string });

/** A certificate with its key, and optionally the certificates that peers are checked against. */
export interface TlsPair {
  readonly cert: TlsPart;
  readonly key: TlsPart;
  readonly ca?: TlsPart;
}

export interface TrustOptions {
  /** Milliseconds for which `revealWithPrevious` still returns the previous value after a rotation. Default: 0. */
  readonly keepPreviousMs?: number | undefined;
}

export interface TlsOptions extends TrustOptions {
  /** The secret that opens an encrypted key or PFX. */
  readonly passphrase?: TlsPart | undefined;
  /** For an expired certificate: `reject` (default) keeps the last good one, `warn` uses it and reports an error. */
  readonly expired?: 'reject' | 'warn' | undefined;
  /** Names that the certificate should cover; if not, a warning (`CERTIFICATE_HOST_MISMATCH`). Default: not checked. */
  readonly hostNames?: readonly string[] | undefined;
  /**
   * The `node-forge` package to use instead of the installed one, for a PFX with the encryption of Windows before 2022.
   */
  readonly nodeForge?: NodeForgeModule | undefined;
}

/** Options of a pair in one stored value. */
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
    throw new SecretsError('OPTION_INVALID', `${where} needs both cert and key, or ca alone`, {
      next: 'Give the missing half. A single value with both halves is secret.tls("name").',
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
  return define<TlsTrust>({
    kind: 'tls',
    lookups: [place],
    ...readOptions(where, options, { keepPreviousMs }),
    decode: ([stored]) => readTrust(place.name, stored as Uint8Array),
    ...describeTrust,
  });
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
  return define<TlsMaterial>({
    kind: 'tls',
    lookups,
    keepPreviousMs: options.keepPreviousMs,
    decode(stored) {
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
    ...describeMaterial(first.name, options.hostNames),
  });
}

function lookupOf(where: string, part: string, given: TlsPart): Lookup {
  if (typeof given === 'string') return lookup(given);
  if (typeof given !== 'object' || given === null || typeof given.alias !== 'string') {
    const what = `${where}: \`${part}\` must be an alias, or an object with one, not ${kindOf(given)}`;
    throw new SecretsError('OPTION_INVALID', what, { next: `Write ${part}: 'the-name'.` });
  }
  readOptions(`\`${part}\` of ${where}`, given, { ...lookupOptions, alias: text() });
  return lookup(given.alias, given);
}
