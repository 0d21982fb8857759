import { delay } from '../../internal/time';
import type { Lookup } from '../../secret/lookup';
import type { Reading } from '../source';
import { type Round, revisionOf } from './read-vault';

/** Pauses between the rounds of one read. A pair that is written within a second is complete after the first one. */
const PAUSES_MS = [1_000, 2_000];
/** Timers may fire a little early. */
const APART_MS = 950;
/** Longest pause before a read while secrets keep being written. */
const MAX_PAUSE_MS = 4_000;
/** The reads in a row that follow each other without a pause, if each finds a write that is complete. */
const FREE_READS = 4;
/** Time without reads after which such reads no longer count as a row. */
const ROW_ENDS_MS = 10_000;
/** How long a new value may be held back. */
const HOLD_MS = 5_000;

export interface SettlingRequest {
  readonly lookups: readonly Lookup[];
  /** Requests each secret once. */
  readRound(): Promise<Round>;
  /** Time limit of the whole read. */
  readonly boundMs: number;
  readonly signal: AbortSignal;
}

/**
 * Reads a vault that may be written at the same time. A round of requests that finds a recent write may hold half of a pair,
 * so another round follows, until two agree. While other secrets keep being written, that never happens. So after three
 * rounds, the secrets at rest are served with their new values, and those that were just written keep their old ones. Secrets
 * whose names begin alike (`db-user`, `db-password`) wait for each other. A new value waits for about five seconds at most.
 *
 * While this lasts, a read pauses before its requests, because a batch may trigger one read after another.
 */
export class Settling {
  /** The readings that were returned last. Their bytes are copies. */
  #served: ReadonlyMap<string, Reading> = new Map();
  #servedRevision: string | undefined;
  /** When each value that is not served yet was first seen. */
  readonly #seenAt = new Map<string, number>();
  #last: { readonly revision: string; readonly at: number } | undefined;
  /** Reads in a row that found recent writes. */
  #row = 0;
  /** Those at the end of the row whose rounds did not agree. */
  #unsettled = 0;
  #held = 0;
  #closed = false;

  /** The number of new values that are held back. */
  get held(): number {
    return this.#held;
  }

  /** The delay until the next read, if secrets are being written. It doubles while this lasts. */
  get nextMs(): number | undefined {
    return this.#unsettled === 0 ? undefined : 1_000 * 2 ** Math.min(this.#unsettled, 20);
  }

  /** Rejects if the first round does. A later one that fails is as good as none: its failure meets the next read too. */
  async read(request: SettlingRequest): Promise<Round> {
    const { lookups, signal, boundMs } = request;
    await this.#pauseBefore(boundMs / 2, signal);
    let round = await this.#round(request);
    const writing = round.recent.size > 0 && round.revision !== this.#servedRevision;
    // The last round of an unsettled read counts as the first one of the next read.
    for (const ms of this.#unsettled > 0 ? [] : PAUSES_MS) {
      if (round.settled) break;
      await delay(ms, signal);
      const next = signal.aborted ? undefined : await this.#round(request).catch(() => undefined);
      if (next === undefined) break;
      round = next;
    }
    const old = round.settled ? new Map<string, Reading>() : this.#oldValues(round, lookups);
    this.#row = writing ? this.#row + 1 : 0;
    this.#unsettled = round.settled ? 0 : this.#unsettled + 1;
    return this.#serve(round, old);
  }

  /** Overwrites the copies of values. */
  close(): void {
    this.#closed = true;
    wipe(this.#served);
    this.#served = new Map();
    this.#servedRevision = undefined;
  }

  async #pauseBefore(mostMs: number, signal: AbortSignal): Promise<void> {
    const passedMs = performance.now() - (this.#last?.at ?? Number.NEGATIVE_INFINITY);
    if (passedMs > ROW_ENDS_MS) this.#row = 0;
    const doublings = this.#unsettled > 0 ? this.#unsettled : this.#row - FREE_READS - 1;
    const pauseMs = doublings < 0 ? 0 : Math.min(1_000 * 2 ** doublings, MAX_PAUSE_MS, mostMs);
    if (passedMs < pauseMs) await delay(pauseMs - passedMs, signal);
  }

  async #round({ readRound }: SettlingRequest): Promise<Round & { readonly settled: boolean }> {
    const round = await readRound();
    const at = performance.now();
    const { revision, readings, recent } = round;
    for (const [name, reading] of readings) {
      if (isSame(this.#served.get(name), reading)) this.#seenAt.delete(name);
      else if (!this.#seenAt.has(name)) this.#seenAt.set(name, at);
    }
    const agreed = this.#last?.revision === revision && at - this.#last.at >= APART_MS;
    this.#last = { revision, at };
    return { ...round, settled: recent.size === 0 || agreed || revision === this.#servedRevision };
  }

  /** The readings that hold back a new value. */
  #oldValues({ readings, recent }: Round, lookups: readonly Lookup[]): Map<string, Reading> {
    const groups = new Map(lookups.map(({ name, vault }) => [name, groupOf(vault)]));
    const isNew = (name: string) => this.#seenAt.has(name);
    const moving = new Set([...recent].filter(isNew).map((name) => groups.get(name) ?? name));
    const old = new Map<string, Reading>();
    for (const name of readings.keys()) {
      const served = this.#served.get(name);
      const waits = recent.has(name) || moving.has(groups.get(name) ?? name);
      const seenAt = this.#seenAt.get(name) ?? Number.NEGATIVE_INFINITY;
      if (served !== undefined && waits && performance.now() - seenAt < HOLD_MS)
        old.set(name, copyOf(served));
    }
    return old;
  }

  #serve(round: Round, old: ReadonlyMap<string, Reading>): Round {
    const readings = new Map([...round.readings].map(([name, reading]) => [name, old.get(name) ?? reading]));
    const revision = old.size === 0 ? round.revision : revisionOf(readings);
    if (this.#closed) return round;
    wipe(this.#served);
    this.#served = new Map([...readings].map(([name, reading]) => [name, copyOf(reading)]));
    this.#servedRevision = revision;
    this.#held = old.size;
    for (const name of this.#seenAt.keys()) if (!old.has(name)) this.#seenAt.delete(name);
    return { ...round, readings, revision };
  }
}

/** The beginning of a name, without its last word: `orders-db` of `orders-db-password` and of `OrdersDbPassword`. */
export function groupOf(vault: string): string | undefined {
  const [name = ''] = vault.split('/');
  const words = name.split(/-+|(?<=[a-z0-9])(?=[A-Z])/).filter((word) => word !== '');
  return words.length < 2 ? undefined : words.slice(0, -1).join('-').toLowerCase();
}

function isSame(one: Reading | undefined, other: Reading): boolean {
  return one !== undefined && revisionOf(new Map([['', one]])) === revisionOf(new Map([['', other]]));
}

function copyOf(reading: Reading): Reading {
  return reading.status === 'found' ? { ...reading, bytes: reading.bytes.slice() } : reading;
}

function wipe(readings: ReadonlyMap<string, Reading>): void {
  for (const reading of readings.values()) if (reading.status === 'found') reading.bytes.fill(0);
}
