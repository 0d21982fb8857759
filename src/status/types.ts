import type { SecretsErrorCode } from '../errors';
import type { ResourceState } from '../observe/observed';
import type { ExpiryReport, SecretReport, SourceReport, StoreHealth } from '../store/types';

/**
 * How much something asks for attention. `active`: it is being renewed, as it should. `warning`: it works, and somebody
 * should look at it. `problem`: it does not do what it is for, or will not for long.
 */
export type StatusLevel = 'ok' | 'active' | 'warning' | 'problem';

/**
 * What `statusHandler` answers beside its page: names, versions and numbers, never a value. Dates are ISO 8601; what is
 * `undefined` here is left out there.
 */
export interface StatusReport {
  /** By the clock of the process, as all dates. */
  readonly takenAt: string;
  readonly process: ProcessStatus;
  readonly stores: readonly StoreStatus[];
}

/** Who answers: behind a load balancer, another one each time. */
export interface ProcessStatus {
  /** The name of the machine; in Kubernetes that of the pod. */
  readonly host: string;
  readonly pid: number;
  readonly startedAt: string;
}

export interface StoreStatus {
  readonly name: string;
  /** Tells stores of one name apart. Of its process, like the versions below it. */
  readonly id: string;
  readonly status: StoreHealth['status'] | 'closed';
  readonly generation: number;
  readonly secrets: readonly SecretStatus[];
  readonly sources: readonly SourceStatus[];
  readonly resources: readonly ResourceStatus[];
  /** The newest first. */
  readonly timeline: readonly TimelineEntry[];
  /** What happened before is not known. */
  readonly timelineSince: string;
}

/** A code of `docs/errors.md`, with what was said when it began; what it means, where that is not in the timeline any more. */
export interface StatusProblem {
  readonly code: SecretsErrorCode;
  readonly message: string;
}

export interface SecretStatus extends Omit<SecretReport, 'problem' | 'warnings'> {
  readonly level: StatusLevel;
  readonly problem: StatusProblem | undefined;
  readonly warnings: readonly StatusProblem[];
  /** What of the value ends, the first to end first. */
  readonly expiries: readonly ExpiryStatus[];
}

export interface ExpiryStatus extends Pick<ExpiryReport, 'what' | 'subject' | 'daysLeft'> {
  readonly expiresAt: string;
}

export interface SourceStatus extends SourceReport {
  readonly level: StatusLevel;
}

/** A pool, a server, an agent, or what `rotating` keeps. */
export interface ResourceStatus extends ResourceState {
  readonly level: StatusLevel;
  /** Why it is not renewed, or that its credential is refused. */
  readonly problem: StatusProblem | undefined;
}

/**
 * `rotated`, `added`: secrets, all of one generation. `error`, `recovered`, `expiring`: as the events of the store; `error`
 * also of a resource. `refresh-failed`: a look at sources. `swapped`, `rejected`, `drained`, `refused`, `accepted`: as the
 * events of a resource.
 */
export type TimelineKind =
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

/** Something that happened. Durations are milliseconds. */
export interface TimelineEntry {
  /** Tells entries apart. */
  readonly id: number;
  readonly at: string;
  readonly kind: TimelineKind;
  readonly level: StatusLevel;
  readonly subject: 'secret' | 'source' | 'resource' | 'store';
  readonly names: readonly string[];
  /** How many names were left out, of a change of very many. */
  readonly moreNames?: number;
  /** Of a resource: `pg`, `tls-server`, … */
  readonly resourceKind?: string;
  /** The generation of the store that it is about; of `drained`, that of what was let go. */
  readonly generation?: number;
  readonly trigger?: string;
  readonly code?: SecretsErrorCode;
  readonly message?: string;
  readonly durationMs?: number;
  readonly attempts?: number;
  /** Of `rejected`: when it is tried again. */
  readonly retryInMs?: number;
  /** Of `refused`: callers who wait. */
  readonly waiting?: number;
  /** Of `drained`: true when the deadline came first. */
  readonly forced?: boolean;
  /** How often, of what came again and again; then `at` is the last time. */
  readonly times?: number;
}
