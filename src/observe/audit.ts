import { assertNumber, rejectUnknownOptions } from '../internal/options';
import { subscribe } from './channels';
import { observedOf } from './observed';

export interface AccessAuditOptions {
  /** Counts by the code that reads, too. Each read then takes a stack trace: some ten microseconds. Default: false. */
  readonly callers?: boolean;
  /** How many callers of one name are told apart; further ones are counted together. Default: 50. */
  readonly maxCallers?: number;
}

/** The reads of one secret. */
export interface SecretReads {
  readonly name: string;
  readonly reads: number;
  /** Where the reading code is, as `file:line:column`, the most reads first. Empty without `callers`. */
  readonly callers: readonly { readonly caller: string; readonly reads: number }[];
  /** Reads by callers beyond `maxCallers`, and by code that has no place. */
  readonly otherReads: number;
}

/** Who read what. Names, places and numbers, never a value. */
export interface AccessReport {
  /** The name that the store was opened with. */
  readonly store: string;
  readonly since: Date;
  /** The names that were read, the most reads first. */
  readonly secrets: readonly SecretReads[];
}

export interface AccessAudit {
  /** The counts so far; also after `stop`. */
  report(): AccessReport;
  /** Ends the counting, as the store's `close` does. May be called again. */
  stop(): void;
}

/** What an audit needs of a store. */
export interface AuditedStore {
  on(event: 'close', listener: () => void): () => void;
}

const WHERE = 'auditAccess';

/**
 * Counts who reads which secret: each `reveal` and `revealWithPrevious` of the store, of its snapshots and boxes, and of recipes.
 * What the store does itself (masking, checking certificates) is not counted. While nobody audits, a read pays for one check.
 *
 * Throws `OPTION_UNKNOWN`, `OPTION_INVALID`, `STORE_CLOSED`.
 *
 * @example
 * ```ts
 * const audit = auditAccess(secrets, { callers: true });
 * for (const { name, reads, callers } of audit.report().secrets) log.info({ name, reads, callers });
 * ```
 */
export function auditAccess(store: AuditedStore, options: AccessAuditOptions = {}): AccessAudit {
  rejectUnknownOptions(WHERE, options, ['callers', 'maxCallers']);
  const { callers = false, maxCallers = 50 } = options;
  assertNumber(WHERE, 'maxCallers', maxCallers, 1);
  const { store: storeName, storeId } = observedOf(store);
  const since = new Date();
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
      since,
      secrets: [...tallies].map(([name, tally]) => tally.report(name)).sort(byReads),
    }),
    stop,
  };
}

/** The reads of one name so far. */
class Tally {
  reads = 0;
  readonly #most: number;
  readonly #callers = new Map<string, number>();
  #otherReads = 0;

  constructor(most: number) {
    this.#most = most;
  }

  count(caller: string | undefined): void {
    const known = caller === undefined ? undefined : this.#callers.get(caller);
    if (caller === undefined || (known === undefined && this.#callers.size >= this.#most)) {
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
