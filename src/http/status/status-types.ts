import type { SecretsErrorCode } from '../../errors';
import type { ResourceState } from '../../observe/observed';
import type { ExpiryReport, SecretReport, SourceReport, StoreHealth } from '../../store/types';

/**
 * How much attention something needs. `active`: it rotates, as it should. `warning`: it works, but needs attention.
 * `problem`: it does not work, or soon will not.
 */
export type StatusLevel = 'ok' | 'active' | 'warning' | 'problem';

/**
 * The JSON form of the status page: names, versions and numbers, never a value. Dates are ISO 8601 by the clock of the
 * process; fields that are `undefined` here are omitted there.
 */
export interface StatusReport {
  readonly takenAt: string;
  /** The process that responded; behind a load balancer it differs from one response to the next. */
  readonly process: {
    /** The name of the machine; in Kubernetes, of the pod. */
    readonly host: string;
    readonly pid: number;
    readonly startedAt: string;
  };
  readonly stores: readonly StoreStatus[];
}

/** One store on the status page. */
export interface StoreStatus {
  readonly name: string;
  /** Distinguishes stores of the same name. Like the versions below, it is unique to its process. */
  readonly id: string;
  readonly status: StoreHealth['status'] | 'closed';
  readonly generation: number;
  readonly secrets: readonly SecretStatus[];
  readonly sources: readonly SourceStatus[];
  readonly resources: readonly ResourceStatus[];
  /** The newest first. */
  readonly timeline: readonly TimelineEntry[];
  /** When the timeline began. */
  readonly timelineSince: string;
}

/** A code of `docs/errors.md` with its first message, or with the meaning of the code once the timeline has dropped that. */
export interface StatusProblem {
  readonly code: SecretsErrorCode;
  readonly message: string;
}

/** One secret on the status page. */
export interface SecretStatus extends Omit<SecretReport, 'problem' | 'warnings'> {
  readonly level: StatusLevel;
  readonly problem: StatusProblem | undefined;
  readonly warnings: readonly StatusProblem[];
  /** When parts of the value expire, the earliest first. */
  readonly expiries: readonly (Pick<ExpiryReport, 'what' | 'subject' | 'daysLeft'> & {
    readonly expiresAt: string;
  })[];
}

/** One source on the status page. */
export interface SourceStatus extends SourceReport {
  readonly level: StatusLevel;
}

/** A pool, a server, an agent, or a resource of `rotating`. */
export interface ResourceStatus extends ResourceState {
  readonly level: StatusLevel;
  /** Why its rotation fails, or that its credential is refused. */
  readonly problem: StatusProblem | undefined;
}

/** Something that happened. Durations are milliseconds. */
export interface TimelineEntry {
  /** Distinguishes entries. */
  readonly id: number;
  readonly at: string;
  /**
   * `rotated`, `added`: secrets of one generation. `error`, `recovered`, `expiring`: events of the store; `error` also of a
   * resource. `refresh-failed`: a source could not be read. `swapped`, `rejected`, `drained`, `refused`, `accepted`: events
   * of a resource.
   */
  readonly kind:
    | 'rotated'
    | 'added'
    | 'error'
    | 'recovered'
    | 'expiring'
    | 'refresh-failed'
    | 'swapped'
    | 'rejected'
    | 'drained'
    | 'refused'
    | 'accepted';
  readonly level: StatusLevel;
  readonly subject: 'secret' | 'source' | 'resource' | 'store';
  readonly names: readonly string[];
  /** How many names a very large change omits. */
  readonly moreNames?: number;
  /** The kind of a resource: `pg`, `tls-server`, … */
  readonly resourceKind?: string;
  /** The generation that the entry is about; for `drained`, the replaced generation. */
  readonly generation?: number;
  readonly trigger?: string;
  readonly code?: SecretsErrorCode;
  readonly message?: string;
  readonly durationMs?: number;
  readonly attempts?: number;
  /** For `rejected`: the time until the next attempt. */
  readonly retryInMs?: number;
  /** For `refused`: how many callers wait. */
  readonly waiting?: number;
  /** For `drained`: true when the drain timeout ended it. */
  readonly forced?: boolean;
  /** How often it happened in a row; `at` is then the last time. */
  readonly times?: number;
}
