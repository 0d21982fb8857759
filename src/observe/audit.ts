import { count, flag, readOptions } from '../internal/options';
import { subscribe } from './channels';
import { observedOf } from './observed';

/** Options of `auditAccess`. */
export interface AccessAuditOptions {
  /** Also counts reads by calling code. Each read then takes a stack trace, about ten microseconds. Default: false. */
  readonly callers?: boolean | undefined;
  /** Maximum number of callers counted separately per name; others are counted together. Default: 50. */
  readonly maxCallers?: number | undefined;
}

/** The reads of one secret. */
export interface SecretReads {
  readonly name: string;
  readonly reads: number;
  /** The calling code as `file:line:column`, sorted by reads, most first. Empty without `callers`. */
  readonly callers: readonly { readonly caller: string; readonly reads: number }[];
  /** Reads by callers beyond `maxCallers`, and by code whose location is unknown. */
  readonly otherReads: number;
}

/** Which code read which secrets: names, locations and numbers, never a value. */
export interface AccessReport {
  /** The name that the store was opened with. */
  readonly store: string;
  readonly since: Date;
  /** The names that were read, sorted by reads, most first. */
  readonly secrets: readonly SecretReads[];
}

/** A running audit. */
export interface AccessAudit {
  /** Returns the counts so far. Works after `stop` too. */
  report(): AccessReport;
  /** Stops counting. The `close` of the store does the same. May be called again. */
  stop(): void;
}

/** The part of a store that an audit uses. */
export interface AuditedStore {
  on(event: 'close', listener: () => void): () => void;
}

/**
 * Counts each `reveal` and `revealWithPrevious` of the store, its snapshots, its boxes and its recipes. The store's own work
 * (masking, checking certificates) does not count. Without an audit, a read costs one extra check.
 *
 * Throws `OPTION_UNKNOWN`, `OPTION_INVALID`, `STORE_CLOSED`.
 *
 * @example
 * ```ts
 * const audit = auditAccess(secrets, { callers: true });
 * for (const { name, reads, callers } of audit.report().secrets) log.info({ name, reads, callers });
 * ```
 */
export function auditAccess(store: AuditedStore, options?: AccessAuditOptions): AccessAudit {
  const { callers, maxCallers } = readOptions('auditAccess', options, {
    callers: flag(false),
    maxCallers: count(50, { least: 1 }),
  });
  const { store: storeName, storeId } = observedOf(store);
  const since = Date.now();
  const tallies = new Map<string, Tally>();

  const leave = store.on('close', () => stop());
  const unsubscribe = subscribe(
    {
      'hot-secrets:secret:access': (message) => {
        const tally = tallies.get(message.name) ?? new Tally(maxCallers);
        tallies.set(message.name, tally);
        tally.reads += 1;
        if (callers) tally.count(message.caller);
      },
    },
    storeId,
  );
  function stop(): void {
    unsubscribe();
    leave();
  }

  return {
    report: () => ({
      store: storeName,
      since: new Date(since),
      secrets: [...tallies].map(([name, tally]) => tally.report(name)).sort(byReads),
    }),
    stop,
  };
}

/** The reads of one name so far. */
class Tally {
  reads = 0;
  readonly #maxCallers: number;
  readonly #callers = new Map<string, number>();
  #otherReads = 0;

  constructor(maxCallers: number) {
    this.#maxCallers = maxCallers;
  }

  count(caller: string | undefined): void {
    const known = caller === undefined ? undefined : this.#callers.get(caller);
    if (caller === undefined || (known === undefined && this.#callers.size >= this.#maxCallers)) {
      this.#otherReads += 1;
    } else {
      this.#callers.set(caller, (known ?? 0) + 1);
    }
  }

  report(name: string): SecretReads {
    const callers = [...this.#callers].map(([caller, reads]) => ({ caller, reads })).sort(byReads);
    return { name, reads: this.reads, callers, otherReads: this.#otherReads };
  }
}

function byReads(a: { readonly reads: number }, b: { readonly reads: number }): number {
  return b.reads - a.reads;
}
