import type { SecretsError } from '../../errors';
import type { Lookup } from '../../secret/lookup';
import type { FoundReading, Reading } from '../source';
import type { VaultClient, VaultSecret } from './vault-client';
import { isNotFound, vaultError } from './vault-errors';

/** The access to a vault for one refresh. */
export interface VaultAccess {
  readonly client: VaultClient;
  readonly vaultUrl: string;
  readonly requestTimeoutMs: number;
  /** Maximum number of simultaneous requests. */
  readonly concurrency: number;
  readonly signal: AbortSignal;
}

/** The answers of one round of requests. */
export interface Round {
  readonly readings: ReadonlyMap<string, Reading>;
  /** An id that changes whenever an answer changes. */
  readonly revision: string;
  /** The names that were written so recently that other answers may be older. */
  readonly recent: ReadonlySet<string>;
}

/** Age below which a write counts as recent. The vault's clock has a resolution of one second. */
const RECENT_MS = 2_000;
const MAX_NAME_LENGTH = 127;
/** In the place of a version: the one before the newest. Real versions have 32 digits. */
const PREVIOUS = 'previous';

/**
 * Requests each name once. An answer about one secret (missing, disabled, denied) becomes its reading. An answer about the
 * vault (throttled, unreachable) ends the round.
 * @throws The error of the vault or identity, or `VAULT_DENIED` if all names are denied.
 */
export async function readRound(lookups: readonly Lookup[], access: VaultAccess): Promise<Round> {
  const round = new AbortController();
  const abort = () => round.abort();
  access.signal.addEventListener('abort', abort, { once: true });
  if (access.signal.aborted) abort();
  const readings = new Map<string, Reading>();
  const secrets = new Map<string, VaultSecret>();
  const readInto = async (lookup: Lookup) => {
    const { reading, secret } = await readOne(lookup, access, round.signal);
    readings.set(lookup.name, reading);
    if (secret !== undefined) secrets.set(lookup.name, secret);
  };
  try {
    const waiting = [...lookups];
    const first = waiting.shift();
    // Send the first request alone: it fetches the challenge and token, which the others reuse.
    if (first !== undefined) await readInto(first);
    const lane = async () => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) await readInto(next);
    };
    await Promise.all(Array.from({ length: Math.min(access.concurrency, waiting.length) }, lane));
  } catch (error) {
    // The other lanes would repeat the same failure.
    round.abort();
    throw error;
  } finally {
    access.signal.removeEventListener('abort', abort);
  }
  const denial = denialOfAll(readings);
  if (denial !== undefined) throw denial;
  // A single secret is complete in itself.
  return {
    readings,
    revision: revisionOf(readings),
    recent: lookups.length > 1 ? recentOf(secrets) : new Set(),
  };
}

function recentOf(secrets: ReadonlyMap<string, VaultSecret>): Set<string> {
  const startedAt = Math.min(...[...secrets.values()].map(({ answeredAt }) => answeredAt));
  const recent = [...secrets].filter(([, { updatedAt }]) => updatedAt >= startedAt - RECENT_MS);
  return new Set(recent.map(([name]) => name));
}

interface Answer {
  readonly reading: Reading;
  readonly secret?: VaultSecret;
}

async function readOne(lookup: Lookup, access: VaultAccess, signal: AbortSignal): Promise<Answer> {
  const { client, vaultUrl, requestTimeoutMs } = access;
  const [name = '', given] = lookup.vault.split('/');
  const missing = { reading: { status: 'missing', looked: `secret "${lookup.vault}"` } } as const;
  // An alias may be longer than a vault allows. A request would fail, although the vault has no problem.
  if (name.length > MAX_NAME_LENGTH) return missing;
  try {
    const version = given === PREVIOUS ? await client.previousVersion(name, signal) : given;
    if (given === PREVIOUS && version === undefined) return missing;
    const secret = await client.get(name, version, signal);
    return { reading: found(vaultUrl, secret), secret };
  } catch (error) {
    if (isNotFound(error)) return missing;
    // An aborted refresh says nothing about the vault.
    if (signal.aborted) throw error;
    const known = vaultError(error, { vaultUrl, secret: name }, requestTimeoutMs);
    if (ABOUT_ONE_SECRET.has(known.code)) return { reading: { status: 'failed', error: known } };
    throw known;
  }
}

const ABOUT_ONE_SECRET: ReadonlySet<string> = new Set(['VAULT_DENIED', 'VAULT_SECRET_DISABLED']);

function found(vaultUrl: string, secret: VaultSecret): FoundReading {
  const { name, version, bytes, attributes, appearedAtMs } = secret;
  const origin = `${vaultUrl}/secrets/${name}/${version}`;
  return { status: 'found', bytes, version, attributes, origin, ...(appearedAtMs && { appearedAtMs }) };
}

/** Returns one error if all names are denied: a missing role is one problem, not one per secret. */
function denialOfAll(readings: ReadonlyMap<string, Reading>): SecretsError | undefined {
  const errors = [...readings.values()].map((reading) =>
    reading.status === 'failed' ? reading.error : undefined,
  );
  const [first] = errors;
  if (first?.code !== 'VAULT_DENIED' || errors.length < 2) return undefined;
  return errors.every((error) => error?.code === first.code) ? first : undefined;
}

/** Returns the revision of the answers. It includes attributes, which may change while the version stays the same. */
export function revisionOf(readings: ReadonlyMap<string, Reading>): string {
  const answers = [...readings].map(([name, reading]) => {
    if (reading.status === 'found') return [name, reading.version, reading.attributes];
    return [name, reading.status === 'failed' ? reading.error.code : reading.status];
  });
  return answers
    .map((answer) => JSON.stringify(answer))
    .sort()
    .join('\n');
}
