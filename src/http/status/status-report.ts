import { hostname } from 'node:os';
import { errorCodes, type SecretsErrorCode } from '../../errors';
import { type Observed, observedOf, type ResourceState } from '../../observe/observed';
import type { ExpiryReport, SecretReport, SecretStore, SourceReport } from '../../store/types';
import type {
  ResourceStatus,
  SecretStatus,
  SourceStatus,
  StatusProblem,
  StatusReport,
  StoreStatus,
} from './status-types';
import { Timeline } from './timeline';

/** The parts of a store that the status needs. */
export type StatusStore = Pick<SecretStore<unknown>, 'name' | 'report' | 'health' | 'on'> & {
  snapshot(): unknown;
};

/** A store with its timeline. */
export interface ObservedStore {
  readonly store: StatusStore;
  readonly observed: Observed;
  readonly timeline: Timeline;
  closed: boolean;
}

/**
 * Records what happens to a store until it closes.
 * @throws `STORE_CLOSED`
 */
export function observeStore(store: StatusStore, timelineSize: number): ObservedStore {
  const observed = observedOf(store);
  store.on('close', () => {
    one.closed = true;
    one.timeline.stop();
  });
  const timeline = new Timeline(observed.storeId, timelineSize);
  const one: ObservedStore = { store, observed, timeline, closed: false };
  return one;
}

export function statusReport(stores: readonly ObservedStore[]): StatusReport {
  return {
    takenAt: new Date().toISOString(),
    process: {
      host: hostname(),
      pid: process.pid,
      startedAt: new Date(performance.timeOrigin).toISOString(),
    },
    stores: stores.map(storeStatus),
  };
}

function storeStatus({ store, observed, timeline, closed }: ObservedStore): StoreStatus {
  const { generation, secrets, sources } = store.report();
  const { status, expiries } = store.health();
  return {
    name: store.name,
    id: observed.storeId,
    status: closed ? 'closed' : status,
    generation,
    secrets: secrets.map((secret) => secretStatus(secret, expiries, timeline)),
    sources: sources.map(sourceStatus),
    resources: [...observed.resources].map((state) => resourceStatus(state(), timeline)),
    timeline: timeline.entries(),
    timelineSince: timeline.since.toISOString(),
  };
}

function secretStatus(
  { problem, warnings, ...secret }: SecretReport,
  all: readonly ExpiryReport[],
  timeline: Timeline,
): SecretStatus {
  const explained = (code: SecretsErrorCode) => explain(timeline, 'secret', secret.name, code);
  const expiries = all
    .filter(({ name }) => name === secret.name)
    .map(({ what, subject, daysLeft, expiresAt }) => ({
      what,
      subject,
      daysLeft,
      expiresAt: expiresAt.toISOString(),
    }));
  const hasExpired = warnings.some((code) => code === 'VALUE_EXPIRED' || code === 'CERTIFICATE_EXPIRED');
  return {
    ...secret,
    level: problem !== undefined || hasExpired ? 'problem' : warnings.length > 0 ? 'warning' : 'ok',
    problem: problem && explained(problem),
    warnings: warnings.map(explained),
    expiries,
  };
}

function sourceStatus(source: SourceReport): SourceStatus {
  const level = ({ ok: 'ok', degraded: 'warning', stale: 'problem' } as const)[source.status];
  return { ...source, level };
}

function resourceStatus(state: ResourceState, timeline: Timeline): ResourceStatus {
  const { name, refused, rotating, draining, connections } = state;
  const code = refused ? 'CREDENTIAL_REFUSED' : rotating?.code;
  const isMoving = rotating !== undefined || draining > 0 || (connections?.stale ?? 0) > 0;
  return {
    ...state,
    level: code !== undefined ? 'problem' : isMoving ? 'active' : 'ok',
    problem: code && explain(timeline, 'resource', name, code),
  };
}

/** Adds the message of the timeline, or the meaning of the code when the timeline no longer has it. */
function explain(
  timeline: Timeline,
  subject: 'secret' | 'resource',
  name: string,
  code: SecretsErrorCode,
): StatusProblem {
  return { code, message: timeline.messageOf(subject, name, code) ?? errorCodes[code] };
}
