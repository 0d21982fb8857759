import type { Attributes } from '@opentelemetry/api';
import type { OfResource } from '../observe/channels';

/** Counters, incremented when something happens. */
export const counters = {
  'hot_secrets.secret.rotations': {
    unit: '{rotation}',
    description: 'Rotations of secrets: new values of secrets that had one before.',
  },
  'hot_secrets.secret.reads': {
    unit: '{read}',
    description: 'Reads of secrets.',
  },
  'hot_secrets.store.errors': {
    unit: '{error}',
    description: 'New problems of sources and values: once per cause, not once per retry.',
  },
  'hot_secrets.resource.rotations': {
    unit: '{rotation}',
    description: 'Rotations of resources, by outcome.',
  },
  'hot_secrets.resource.rejections': {
    unit: '{rejection}',
    description: 'Resources that failed to build or verify: once per cause, not once per retry.',
  },
  'hot_secrets.resource.errors': {
    unit: '{error}',
    description: 'Old resources closed by force or with an error, and listeners that failed.',
  },
} as const;

/** Histograms, recorded when something happens. */
export const histograms = {
  'hot_secrets.refresh.duration': {
    unit: 's',
    description: 'Duration of refreshes.',
    // From an unchanged mount to a vault that does not answer.
    advice: { explicitBucketBoundaries: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30] },
  },
} as const;

/** Gauges, read when metrics are collected. Their sum over several processes has no meaning. */
export const gauges = {
  'hot_secrets.store.generation': {
    unit: '{generation}',
    description: 'Generation of the store: increases by one with each change of its secrets.',
  },
  'hot_secrets.source.staleness': {
    unit: 's',
    description: 'Time since the last successful refresh of a source.',
  },
  'hot_secrets.secret.time_left': {
    unit: 'd',
    description: 'Days until a certificate or another value expires; negative afterwards.',
  },
  'hot_secrets.resource.generation': {
    unit: '{generation}',
    description: 'Generation of the store that a resource was built from.',
  },
} as const;

/** Up-down counters, read when metrics are collected. Their sum over several processes has a meaning. */
export const upDownCounters = {
  'hot_secrets.store.status': {
    unit: '1',
    description: 'Health of the store: 1 for its current state, 0 for the others.',
  },
  'hot_secrets.resource.connection.count': {
    unit: '{connection}',
    description:
      'Open connections of a resource: with the current credential, and draining ones with an old one.',
  },
  'hot_secrets.resource.draining.count': {
    unit: '{generation}',
    description: 'Old generations of a resource that are draining.',
  },
  'hot_secrets.resource.rejected': {
    unit: '1',
    description: '1 while a newer generation of the resource is rejected and retried; the old one serves.',
  },
  'hot_secrets.resource.refused': {
    unit: '1',
    description: '1 while the server refuses the credential of the resource.',
  },
} as const;

export type ObservedName = keyof typeof gauges | keyof typeof upDownCounters;

/** Names of attributes. Those without an OpenTelemetry convention have their own namespace. */
export const key = {
  attempt: 'hot_secrets.attempt',
  attempts: 'hot_secrets.attempts',
  connectionState: 'hot_secrets.connection.state',
  duration: 'hot_secrets.duration',
  errorType: 'error.type',
  expiryOf: 'hot_secrets.expiry.of',
  expirySubject: 'hot_secrets.expiry.subject',
  generation: 'hot_secrets.generation',
  outcome: 'hot_secrets.outcome',
  resource: 'hot_secrets.resource.name',
  resourceKind: 'hot_secrets.resource.kind',
  retryIn: 'hot_secrets.retry_in',
  secret: 'hot_secrets.secret.name',
  source: 'hot_secrets.source.name',
  sources: 'hot_secrets.source.names',
  state: 'hot_secrets.store.state',
  store: 'hot_secrets.store.name',
  trigger: 'hot_secrets.trigger',
} as const;

/** The attributes of one resource. */
export function ofResource({
  store,
  resource,
  kind,
}: Pick<OfResource, 'store' | 'resource' | 'kind'>): Attributes {
  return { [key.store]: store, [key.resource]: resource, [key.resourceKind]: kind };
}

/** Removes unknown attributes, which exporters would turn into empty strings. */
export function known(attributes: Attributes): Attributes {
  return Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== undefined));
}
