import type { SecretsError } from '../../errors';
import type { Lookup } from '../../secret/lookup';
import type { FoundReading, Reading } from '../source';
import type { VaultClient, VaultSecret } from './vault-client';
import { isNotFound, vaultError } from './vault-errors';

/** How a vault is read. */
export interface ReadOptions {
  readonly client: VaultClient;
  readonly vaultUrl: string;
  readonly requestTimeoutMs: number;
  /** Most requests at a time. */
  readonly concurrency: number;
  readonly signal: AbortSignal;
}

/** One round of requests: what each name answered. */
export interface Round {
  readonly readings: ReadonlyMap<string, Reading>;
  /** Changes when any of the answers does. */
  readonly revision: string;
  /** True when something was written so shortly before that some answers may be older than others. */
  readonly moving: boolean;
}

/** The vault tells times to the second. */
const MOVING_MS = 2_000;
const LONGEST_NAME = 127;

/**
 * Asks for each name once. What says something of one secret (not there, disabled, denied) is its reading; what says
 * something of the vault (throttled, out of reach) ends the round.
 * @throws a `SecretsError` of the vault, of the identity, or of all names where all failed alike.
 */
export async function readRound(lookups: readonly Lookup[], options: ReadOptions): Promise<Round> {
  const round = new AbortController();
  const abort = () => round.abort();
  options.signal.addEventListener('abort', abort, { once: true });
  if (options.signal.aborted) abort();
  const readings = new Map<string, Reading>();
  const secrets: VaultSecret[] = [];
  const ask = async (lookup: Lookup) => {
    const answer = await readOne(lookup, options, round.signal);
    readings.set(lookup.name, answer.reading);
    if (answer.secret !== undefined) secrets.push(answer.secret);
  };
  try {
    const waiting = [...lookups];
    const first = waiting.shift();
    // Alone: the first request fetches the challenge and the token, which the others then have.
    if (first !== undefined) await ask(first);
    const lane = async () => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) await ask(next);
    };
    await Promise.all(Array.from({ length: Math.min(options.concurrency, waiting.length) }, lane));
  } catch (error) {
    // The other lanes would only add to it.
    round.abort();
    throw error;
  } finally {
    options.signal.removeEventListener('abort', abort);
  }
  const alike = failedAlike(readings);
  if (alike !== undefined) throw alike;
  const startedAt = Math.min(...secrets.map(({ answeredAt }) => answeredAt));
  return {
    readings,
    revision: revisionOf(readings),
    moving: lookups.length > 1 && secrets.some(({ updatedAt }) => updatedAt >= startedAt - MOVING_MS),
  };
}

interface Answer {
  readonly reading: Reading;
  readonly secret?: VaultSecret;
}

async function readOne(lookup: Lookup, options: ReadOptions, signal: AbortSignal): Promise<Answer> {
  const { client, vaultUrl, requestTimeoutMs } = options;
  const [name = '', version] = lookup.vault.split('/');
  const missing = { reading: { status: 'missing', looked: `secret "${lookup.vault}"` } } as const;
  // An alias may be longer than a name can be; to ask for it is an error that says nothing of the vault.
  if (name.length > LONGEST_NAME) return missing;
  try {
    const secret = await client.get(name, version, signal);
    return { reading: found(vaultUrl, secret), secret };
  } catch (error) {
    if (isNotFound(error)) return missing;
    // That the look is over says nothing of the vault.
    if (signal.aborted) throw error;
    const known = vaultError(error, { vaultUrl, secret: name }, requestTimeoutMs);
    if (OF_ONE_SECRET.has(known.code)) return { reading: { status: 'failed', error: known } };
    throw known;
  }
}

const OF_ONE_SECRET: ReadonlySet<string> = new Set(['VAULT_DENIED', 'VAULT_SECRET_DISABLED']);

function found(vaultUrl: string, { name, version, bytes, attributes }: VaultSecret): FoundReading {
  return { status: 'found', bytes, version, attributes, origin: `${vaultUrl}/secrets/${name}/${version}` };
}

/** A role that is missing is one problem, not one for each secret. */
function failedAlike(readings: ReadonlyMap<string, Reading>): SecretsError | undefined {
  const errors = [...readings.values()].map((reading) =>
    reading.status === 'failed' ? reading.error : undefined,
  );
  const [first] = errors;
  if (first?.code !== 'VAULT_DENIED' || errors.length < 2) return undefined;
  return errors.every((error) => error?.code === first.code) ? first : undefined;
}

/** A version never changes its value; what is said of it may change, within one second too. */
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
