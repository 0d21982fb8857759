import { SecretsError } from '../../errors';
import { delay } from '../../internal/time';
import type { Lookup } from '../../secret/lookup';
import type { FoundReading, Reading } from '../source';
import type { VaultClient, VaultSecret } from './vault-client';
import { isNotFound, OUTAGE, vaultError } from './vault-errors';

/** How a vault is read. */
export interface VaultAccess {
  readonly client: VaultClient;
  readonly vaultUrl: string;
  readonly requestTimeoutMs: number;
  /** The maximum number of requests at a time. */
  readonly concurrency: number;
  readonly signal: AbortSignal;
}

/** One round of requests: what each name answered. */
export interface Round {
  readonly readings: ReadonlyMap<string, Reading>;
  /** Changes whenever an answer does. */
  readonly revision: string;
  /** True when a secret was written so recently that some answers may be older than others. */
  readonly unsettled: boolean;
}

const MAX_ROUNDS = 6;
/** The maximum gap between the two halves of a pair that is being written. */
const SETTLE_MS = 1_000;
/** Covers the vault's clock, which counts whole seconds. */
const RECENT_MS = 2_000;
const MAX_NAME_LENGTH = 127;

/**
 * Reads until everything that was found existed together, which usually takes one round. If something was written just
 * before, it reads until two rounds agree, so that no half of a pair is served when two secrets are written one after the
 * other.
 * @throws `VAULT_UNSTABLE`, and what `readRound` throws.
 */
export async function readVault(
  lookups: readonly Lookup[],
  since: string | undefined,
  access: VaultAccess,
): Promise<Round> {
  let round = await readRound(lookups, access);
  for (let rounds = 1; round.unsettled && round.revision !== since; rounds += 1) {
    if (rounds === MAX_ROUNDS) throw unstable(access.vaultUrl);
    await delay(SETTLE_MS, access.signal);
    const again = await readRound(lookups, access);
    if (again.revision === round.revision) return again;
    round = again;
  }
  return round;
}

function unstable(vaultUrl: string): SecretsError {
  const what = `secrets of the vault ${vaultUrl} changed during every attempt to read them`;
  return new SecretsError('VAULT_UNSTABLE', what, {
    source: 'key-vault',
    next: `Find out what keeps writing to it. ${OUTAGE}`,
  });
}

/**
 * Asks for each name once. An answer about one secret (missing, disabled, denied) is the reading of that secret; an answer
 * about the vault (throttled, unreachable) ends the round.
 * @throws a `SecretsError` of the vault, of the identity, or of all names when all of them are denied.
 */
async function readRound(lookups: readonly Lookup[], access: VaultAccess): Promise<Round> {
  const round = new AbortController();
  const abort = () => round.abort();
  access.signal.addEventListener('abort', abort, { once: true });
  if (access.signal.aborted) abort();
  const readings = new Map<string, Reading>();
  const secrets: VaultSecret[] = [];
  const readInto = async (lookup: Lookup) => {
    const { reading, secret } = await readOne(lookup, access, round.signal);
    readings.set(lookup.name, reading);
    if (secret !== undefined) secrets.push(secret);
  };
  try {
    const waiting = [...lookups];
    const first = waiting.shift();
    // The first request goes alone: it fetches the challenge and the token that the others then reuse.
    if (first !== undefined) await readInto(first);
    const lane = async () => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) await readInto(next);
    };
    await Promise.all(Array.from({ length: Math.min(access.concurrency, waiting.length) }, lane));
  } catch (error) {
    // The other lanes would only repeat the failure.
    round.abort();
    throw error;
  } finally {
    access.signal.removeEventListener('abort', abort);
  }
  const denial = denialOfAll(readings);
  if (denial !== undefined) throw denial;
  const startedAt = Math.min(...secrets.map(({ answeredAt }) => answeredAt));
  return {
    readings,
    revision: revisionOf(readings),
    unsettled: lookups.length > 1 && secrets.some(({ updatedAt }) => updatedAt >= startedAt - RECENT_MS),
  };
}

interface Answer {
  readonly reading: Reading;
  readonly secret?: VaultSecret;
}

async function readOne(lookup: Lookup, access: VaultAccess, signal: AbortSignal): Promise<Answer> {
  const { client, vaultUrl, requestTimeoutMs } = access;
  const [name = '', version] = lookup.vault.split('/');
  const missing = { reading: { status: 'missing', looked: `secret "${lookup.vault}"` } } as const;
  // An alias may be longer than a vault allows. Asking for it would be an error that says nothing about the vault.
  if (name.length > MAX_NAME_LENGTH) return missing;
  try {
    const secret = await client.get(name, version, signal);
    return { reading: found(vaultUrl, secret), secret };
  } catch (error) {
    if (isNotFound(error)) return missing;
    // An abandoned refresh says nothing about the vault.
    if (signal.aborted) throw error;
    const known = vaultError(error, { vaultUrl, secret: name }, requestTimeoutMs);
    if (ABOUT_ONE_SECRET.has(known.code)) return { reading: { status: 'failed', error: known } };
    throw known;
  }
}

const ABOUT_ONE_SECRET: ReadonlySet<string> = new Set(['VAULT_DENIED', 'VAULT_SECRET_DISABLED']);

function found(vaultUrl: string, { name, version, bytes, attributes }: VaultSecret): FoundReading {
  return { status: 'found', bytes, version, attributes, origin: `${vaultUrl}/secrets/${name}/${version}` };
}

/** A missing role is one problem, not one for each secret. */
function denialOfAll(readings: ReadonlyMap<string, Reading>): SecretsError | undefined {
  const errors = [...readings.values()].map((reading) =>
    reading.status === 'failed' ? reading.error : undefined,
  );
  const [first] = errors;
  if (first?.code !== 'VAULT_DENIED' || errors.length < 2) return undefined;
  return errors.every((error) => error?.code === first.code) ? first : undefined;
}

/** Includes the attributes: a version never changes its value, but its attributes may change within one second. */
function revisionOf(readings: ReadonlyMap<string, Reading>): string {
  const answers = [...readings].map(([name, reading]) => {
    if (reading.status === 'found') return [name, reading.version, reading.attributes];
    return [name, reading.status === 'failed' ? reading.error.code : reading.status];
  });
  return answers
    .map((answer) => JSON.stringify(answer))
    .sort()
    .join('\n');
}
