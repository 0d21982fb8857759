import { SecretsError } from '../../errors';
import { detached, unrefTimer } from '../../internal/time';
import type { RotatingClient } from '../../rotation/client';
import type { CredentialHeaders } from './headers';

/** Between two refreshes of a wait, in milliseconds. It doubles each time. */
const REFRESH_FIRST_MS = 250;
const REFRESH_MAX_MS = 4_000;

/** After a wait in vain, how long requests with the same credential are not held, in milliseconds. */
const REST_MS = 60_000;
/** Between two refreshes in that time. */
const REST_REFRESH_MS = 5_000;

/** How often one request is sent again at most: once for a rotation, once more if its first value was wrong. */
export const MAX_RETRIES = 2;

type Client = Pick<
  RotatingClient<never, CredentialHeaders, CredentialHeaders>,
  'current' | 'name' | 'refused' | 'accepted' | 'refreshNow'
>;

/** The time in which one credential is refused and no newer one has come. All requests that it was refused to share it. */
interface Refusal {
  readonly of: CredentialHeaders;
  readonly newer: Promise<boolean>;
  /** Resolves `newer`. */
  end(found: boolean): void;
  /** When it ended without a newer credential, by `performance.now()`. */
  endedAt: number | undefined;
  refreshedAt: number;
}

/** Finds out, once for all requests, whether there is a newer credential than the one that the server refused. */
export class CurrentCredential {
  /** How long a refused request waits for a newer credential. */
  readonly #waitMs: number;
  readonly #client: () => Client;
  #refusal: Refusal | undefined;
  #told = false;
  #stopped = false;

  constructor(waitMs: number, client: () => Client) {
    this.#waitMs = waitMs;
    this.#client = client;
  }

  /** The credential of new requests. */
  get current(): CredentialHeaders {
    return this.#client().current;
  }

  /**
   * Tells that the server refused `used`. Resolves with true as soon as there is a newer credential, and with false when the bound
   * has passed or `signal` aborts.
   */
  async replaced(used: CredentialHeaders, status: number, signal?: AbortSignal | null): Promise<boolean> {
    if (this.#isNewer(used)) return true;
    const refusal = this.#refused(used, status);
    if (refusal.endedAt !== undefined || this.#waitMs === 0 || signal?.aborted) return false;
    let stop = () => {};
    const stopped = new Promise<boolean>((resolve) => {
      stop = () => resolve(false);
    });
    // Keeps the process alive, as a pending request would.
    const timer = setTimeout(stop, this.#waitMs);
    signal?.addEventListener('abort', stop, { once: true });
    const found = await Promise.race([refusal.newer, stopped]);
    clearTimeout(timer);
    signal?.removeEventListener('abort', stop);
    return found;
  }

  /** Tells that the server refused `used` to a request that cannot be sent again. */
  refused(used: CredentialHeaders, status: number): void {
    if (!this.#isNewer(used)) this.#refused(used, status);
  }

  /** Tells that the server accepted `used`. */
  accepted(used: CredentialHeaders): void {
    if (!this.#told || this.#isNewer(used)) return;
    this.#told = false;
    this.#client().accepted();
  }

  /** Tells that there is another credential, which may be the same. */
  swapped(): void {
    const refusal = this.#refusal;
    if (refusal === undefined || isSame(refusal.of, this.current)) return;
    this.#refusal = undefined;
    refusal.end(true);
  }

  /** Ends the wait of every request. */
  stop(): void {
    this.#stopped = true;
    this.#refusal?.end(false);
  }

  #isNewer(used: CredentialHeaders): boolean {
    return !isSame(used, this.current);
  }

  #refused(of: CredentialHeaders, status: number): Refusal {
    const known = this.#refusal;
    const now = performance.now();
    if (known !== undefined && (known.endedAt === undefined || now - known.endedAt < REST_MS)) {
      if (known.endedAt !== undefined && now - known.refreshedAt > REST_REFRESH_MS) this.#refresh(known);
      return known;
    }
    let end: (found: boolean) => void = () => {};
    const newer = new Promise<boolean>((resolve) => {
      end = resolve;
    });
    const endedAt = this.#stopped ? now : undefined;
    const refusal: Refusal = { of, newer, end, endedAt, refreshedAt: now };
    this.#refusal = refusal;
    if (this.#stopped) return refusal;
    this.#told = true;
    // Not in the async context of the request that happens to be the first.
    detached(() => {
      this.#client().refused(refusalError(this.#client().name, status), 1);
      this.#keepRefreshing(refusal, REFRESH_FIRST_MS);
      unrefTimer(this.#waitMs, () => {
        refusal.endedAt = performance.now();
        refusal.end(false);
      });
    });
    return refusal;
  }

  #keepRefreshing(refusal: Refusal, waitMs: number): void {
    unrefTimer(waitMs, () => {
      if (this.#refusal !== refusal || refusal.endedAt !== undefined || this.#stopped) return;
      this.#refresh(refusal);
      this.#keepRefreshing(refusal, Math.min(REFRESH_MAX_MS, waitMs * 2));
    });
  }

  #refresh(refusal: Refusal): void {
    refusal.refreshedAt = performance.now();
    detached(() => this.#client().refreshNow());
  }
}

function isSame(one: CredentialHeaders, other: CredentialHeaders): boolean {
  if (one === other) return true;
  const names = Object.keys(one);
  return names.length === Object.keys(other).length && names.every((name) => one[name] === other[name]);
}

function refusalError(name: string, status: number): SecretsError {
  return new SecretsError('CREDENTIAL_REFUSED', `the server answers ${status} to the ${name}`, {
    next: 'The store looks for a newer credential. Compare the secret with the server.',
  });
}
