import type { Attributes } from '@opentelemetry/api';
import type { Observed, ResourceState } from '../observe/observed';
import type { ExpiryReport, StoreHealth } from '../store/types';
import { key, ofResource } from './attributes';
import type { ObservedName } from './instruments';

/** One value of one instrument. */
export interface Reading {
  readonly name: ObservedName;
  readonly value: number;
  readonly attributes: Attributes;
}

const STATES: readonly StoreHealth['status'][] = ['ok', 'degraded', 'stale'];

/** A store as it is now. */
export function ofHealth(store: string, { status, generation, sources }: StoreHealth): Reading[] {
  const own = { [key.store]: store };
  return [
    { name: 'hot_secrets.store.generation', value: generation, attributes: own },
    ...STATES.map((state) => ({
      name: 'hot_secrets.store.status' as const,
      value: state === status ? 1 : 0,
      attributes: { ...own, [key.state]: state },
    })),
    ...sources.flatMap(({ source, lastRefreshAgeMs }) =>
      lastRefreshAgeMs === undefined
        ? []
        : {
            name: 'hot_secrets.source.staleness' as const,
            value: lastRefreshAgeMs / 1000,
            attributes: { ...own, [key.source]: source },
          },
    ),
  ];
}

/** What follows the store, as it is now. */
export function ofResources({ store, resources }: Observed): Reading[] {
  return [...resources].flatMap((state) => ofResourceState(store, state()));
}

function ofResourceState(store: string, state: ResourceState): Reading[] {
  const { kind, name: resource, generation, draining, connections, rotating, refused } = state;
  const own = ofResource({ store, resource, kind });
  const connectionsIn = (connectionState: string, value: number): Reading => ({
    name: 'hot_secrets.resource.connection.count',
    value,
    attributes: { ...own, [key.connectionState]: connectionState },
  });
  return [
    ...(generation === undefined
      ? []
      : [{ name: 'hot_secrets.resource.generation' as const, value: generation, attributes: own }]),
    { name: 'hot_secrets.resource.draining.count', value: draining, attributes: own },
    { name: 'hot_secrets.resource.rejected', value: rotating?.code === undefined ? 0 : 1, attributes: own },
    { name: 'hot_secrets.resource.refused', value: refused ? 1 : 0, attributes: own },
    ...(connections === undefined ? [] : [connectionsIn('draining', connections.stale)]),
    ...(connections?.open === undefined
      ? []
      : [connectionsIn('current', connections.open - connections.stale)]),
  ];
}

interface Place {
  readonly what: string;
  readonly subject: string;
}

/** So many subjects of one secret are told apart: an authority may give each certificate a name of its own. */
const MOST_SUBJECTS = 20;
const OTHER = '_OTHER';

/**
 * How long values last. SDKs go on to report the last value of a series that ends, so one whose certificate is gone tells
 * of what took its place: else a name that was about to expire would raise alarms for ever.
 */
export class TimeLeft {
  readonly #store: string;
  /** By secret, what was seen of it, each once. */
  readonly #seen = new Map<string, Map<string, Place>>();

  constructor(store: string) {
    this.#store = store;
  }

  readings(expiries: readonly ExpiryReport[]): Reading[] {
    const current = new Map<string, Map<string, number>>();
    for (const { name, what, subject, daysLeft } of expiries) {
      const place = this.#place(name, what, subject);
      const places = current.get(name) ?? new Map<string, number>();
      current.set(name, places.set(place, Math.min(daysLeft, places.get(place) ?? daysLeft)));
    }
    return [...current].flatMap(([secret, places]) => {
      const least = Math.min(...places.values());
      return [...(this.#seen.get(secret) ?? [])].map(([place, { what, subject }]) => ({
        name: 'hot_secrets.secret.time_left' as const,
        value: places.get(place) ?? least,
        attributes: {
          [key.store]: this.#store,
          [key.secret]: secret,
          [key.expiryOf]: what,
          [key.expirySubject]: subject,
        },
      }));
    });
  }

  #place(secret: string, what: string, subject: string): string {
    const seen = this.#seen.get(secret) ?? new Map<string, Place>();
    this.#seen.set(secret, seen);
    const place = `${what} ${subject}`;
    if (seen.has(place)) return place;
    if (seen.size < MOST_SUBJECTS) {
      seen.set(place, { what, subject });
      return place;
    }
    const other = `${what} ${OTHER}`;
    seen.set(other, { what, subject: OTHER });
    return other;
  }
}
