import type { Attributes } from '@opentelemetry/api';
import type { OfResource } from '../observe/channels';

/** Names of attributes. What is no convention of OpenTelemetry is in a namespace of its own. */
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

/** Attributes of everything that is about one resource. */
export function ofResource({
  store,
  resource,
  kind,
}: Pick<OfResource, 'store' | 'resource' | 'kind'>): Attributes {
  return { [key.store]: store, [key.resource]: resource, [key.resourceKind]: kind };
}

/** Without what is not known: exporters make empty strings of it. */
export function known(attributes: Attributes): Attributes {
  return Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== undefined));
}
