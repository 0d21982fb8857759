import { isSecretsError, SecretsError } from '../errors';
import { describeError, errorCode } from '../internal/describe-error';
import type { Jose } from '../internal/peer';
import { bounded, detached } from '../internal/time';
import { SayOnce } from '../internal/warnings';

const FETCH_TIMEOUT_MS = 5_000;
/** The age from which keys are fetched again, so that a key that the issuer withdrew is refused soon. */
const MAX_AGE_MS = 600_000;
/** The minimum time between two searches for an unknown key, so that invented key ids do not cause a request each. */
const SEARCH_INTERVAL_MS = 30_000;
/** The minimum time from a failed fetch to the next. */
const RETRY_MS = 5_000;
const MAX_ABSENT = 100;

type Known = ReturnType<Jose['createLocalJWKSet']>;
type GetKey = (...asked: Parameters<Known>) => ReturnType<Known>;
type Header = Parameters<GetKey>[0];
type Token = Parameters<GetKey>[1];
type Found = Awaited<ReturnType<GetKey>>;
type KeySet = Parameters<Jose['createLocalJWKSet']>[0];

/**
 * The keys of an issuer. The last keys that arrived stay in use while the issuer is down. Unlike the key set of jose, it
 * distinguishes a key that the issuer does not have from one that could not be looked up yet.
 */
export class SigningKeys {
  readonly #url: string;
  readonly #fetchKeys: typeof globalThis.fetch;
  readonly #warnings = new SayOnce();
  #find: GetKey | undefined;
  #fetching: Promise<void> | undefined;
  #failure: SecretsError | undefined;
  #startedAt = Number.NEGATIVE_INFINITY;
  /** When the fetch started that the keys are from. */
  #freshFrom = Number.NEGATIVE_INFINITY;
  #searchedAt = Number.NEGATIVE_INFINITY;
  /** Key ids that the last fetch was made for and did not find. */
  readonly #absent = new Set<string | undefined>();

  constructor(url: URL, fetchKeys: typeof globalThis.fetch | undefined) {
    this.#url = url.href;
    this.#fetchKeys = fetchKeys ?? ((...request) => fetch(...request));
  }

  /** Returns the function with which jose looks up the key of a token. */
  lookUp(jose: Jose): GetKey {
    return (header, token) => this.#key(jose, header, token);
  }

  /**
   * Returns the key of a token.
   *
   * @throws `KEYS_UNAVAILABLE` when it cannot be looked up now, `ERR_JWKS_NO_MATCHING_KEY` when the issuer does not have it.
   */
  async #key(jose: Jose, header: Header, token: Token): Promise<Found> {
    const askedAt = performance.now();
    await this.#prepare(jose);
    const found = await this.#known(header, token);
    if (found !== undefined) return found;
    if (this.#freshFrom < askedAt && !this.#absent.has(header?.kid)) await this.#search(jose);
    const late = await this.#known(header, token);
    if (late !== undefined) return late;
    if (this.#absent.size < MAX_ABSENT) this.#absent.add(header?.kid);
    throw Object.assign(new Error('no matching key'), { code: 'ERR_JWKS_NO_MATCHING_KEY' });
  }

  /** Fetches keys that are missing or too old. Old keys stay in use when that fails. */
  async #prepare(jose: Jose): Promise<void> {
    const isPresent = this.#find !== undefined;
    if (isPresent && performance.now() - this.#freshFrom < MAX_AGE_MS) return;
    if (this.#fetching === undefined && this.#failure !== undefined && this.#sinceStartMs < RETRY_MS) {
      if (isPresent) return;
      throw this.#failure;
    }
    // While the issuer is known to be down, nobody waits for it.
    const isDown = isPresent && this.#failure !== undefined;
    const fetched = this.#fetch(jose);
    if (!isPresent) return fetched;
    const kept = fetched.catch((error: SecretsError) => this.#warnings.say(error));
    if (!isDown) await kept;
  }

  /** Fetches the keys for a token whose key is unknown. */
  async #search(jose: Jose): Promise<void> {
    if (this.#fetching === undefined) {
      const now = performance.now();
      const isTooSoon = now - this.#searchedAt < SEARCH_INTERVAL_MS;
      if (isTooSoon || (this.#failure !== undefined && this.#sinceStartMs < RETRY_MS)) {
        throw this.#failure ?? unavailable('have been fetched moments ago, without the key of this token');
      }
      this.#searchedAt = now;
    }
    await this.#fetch(jose);
  }

  get #sinceStartMs(): number {
    return performance.now() - this.#startedAt;
  }

  async #known(header: Header, token: Token): Promise<Found | undefined> {
    try {
      return await this.#find?.(header, token);
    } catch (error) {
      if (errorCode(error) === 'ERR_JWKS_NO_MATCHING_KEY') return undefined;
      throw error;
    }
  }

  /** Fetches the keys, once for all who ask meanwhile. */
  #fetch(jose: Jose): Promise<void> {
    this.#fetching ??= detached(() => this.#load(jose)).finally(() => {
      this.#fetching = undefined;
    });
    return this.#fetching;
  }

  async #load({ createLocalJWKSet }: Jose): Promise<void> {
    this.#startedAt = performance.now();
    const over = new AbortController();
    try {
      const fetched = fetchKeySet(this.#fetchKeys, this.#url, over.signal);
      const keys = await bounded(fetched, FETCH_TIMEOUT_MS, () => {
        return unavailable(`were not received within ${FETCH_TIMEOUT_MS} ms`);
      });
      this.#find = createLocalJWKSet(keys);
      this.#freshFrom = this.#startedAt;
      this.#failure = undefined;
      this.#absent.clear();
      this.#warnings.clear();
    } catch (error) {
      this.#failure = isSecretsError(error)
        ? error
        : unavailable(`cannot be fetched: ${describeError(error)}`);
      throw this.#failure;
    } finally {
      over.abort();
    }
  }
}

/** @throws `KEYS_UNAVAILABLE` for anything but a set of keys, or what `fetchKeys` rejects with. */
async function fetchKeySet(
  fetchKeys: typeof globalThis.fetch,
  url: string,
  signal: AbortSignal,
): Promise<KeySet> {
  const response = await fetchKeys(url, {
    signal,
    redirect: 'manual',
    headers: { accept: 'application/json, application/jwk-set+json' },
  });
  if (response.status !== 200) throw unavailable(`were answered with status ${response.status}`);
  const text = await response.text();
  const { keys } = parse(text);
  // An issuer always has keys, so an empty set is a failure.
  if (!Array.isArray(keys) || keys.length === 0) throw unavailable('were answered with something else');
  return { keys };
}

function parse(text: string): { readonly keys?: unknown } {
  try {
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === 'object' && parsed !== null ? parsed : {};
  } catch {
    return {};
  }
}

function unavailable(what: string): SecretsError {
  return new SecretsError('KEYS_UNAVAILABLE', `the keys that verify bearer tokens ${what}`, {
    next: 'Check that this process can reach the address of the keys (jwksUrl). Keys that were fetched before stay in use; without the key of its token, a request is answered with 503.',
  });
}
