import { hostname } from 'node:os';
import { errorCodes, type SecretsErrorCode } from '../errors';
import type { ClosableStore } from '../http/http-handler';
import { type Observed, observedOf, type ResourceState } from '../observe/observed';
import type { ExpiryReport, SecretReport, SecretStore, SourceReport } from '../store/types';
import { Timeline } from './timeline';
import type {
  ResourceStatus,
  SecretStatus,
  SourceStatus,
  StatusProblem,
  StatusReport,
  StoreStatus,
} from './types';

/** What the status needs of a store. */
export type StatusStore = Pick<SecretStore<unknown>, 'name' | 'report' | 'health' | 'on'> & ClosableStore;

/** A store whose status can be asked for. */
export interface WatchedStore {
  readonly store: StatusStore;
  readonly observed: Observed;
  readonly timeline: Timeline;
  closed: boolean;
}

/**
 * Begins to note what happens to a store, until it closes.
 * @throws `STORE_CLOSED`
 */
export function watchStore(store: StatusStore, timelineSize: number): WatchedStore {
  const observed = observedOf(store);
  store.on('close', () => {
    watched.closed = true;
    watched.timeline.stop();
  });
  const watched: WatchedStore = {
    store,
    observed,
    timeline: new Timeline(observed.storeId, timelineSize),
    closed: false,
  };
  return watched;
}

export function statusReport(stores: readonly WatchedStore[]): StatusReport {
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

function storeStatus({ store, observed, timeline, closed }: WatchedStore): StoreStatus {
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
  const isOver = expiries.some(({ daysLeft }) => daysLeft <= 0);
  return {
    ...secret,
    level: problem !== undefined || isOver ? 'problem' : warnings.length > 0 ? 'warning' : 'ok',
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
  const moving = rotating !== undefined || draining > 0 || (connections?.stale ?? 0) > 0;
  return {
    ...state,
    level: code !== undefined ? 'problem' : moving ? 'active' : 'ok',
    problem: code && explain(timeline, 'resource', name, code),
  };
}

function explain(
  timeline: Timeline,
  subject: 'secret' | 'resource',
  name: string,
  code: SecretsErrorCode,
): StatusProblem {
  return { code, message: timeline.messageOf(subject, name, code) ?? errorCodes[code] };
}
