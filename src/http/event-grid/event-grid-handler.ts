import { isolate } from '../../internal/events';
import { callback, count, ms, type Option, readOptions } from '../../internal/options';
import { listenerFailure, SayOnce } from '../../internal/warnings';
import { assertStore } from '../../store/assert-store';
import { RefreshSoon } from '../../store/refresh-soon';
import type { SecretStore } from '../../store/types';
import { refusal } from '../body';
import { type HttpOptions, httpHandler, httpOptions } from '../http-handler';
import type { Answer, HttpHandler, Received } from '../types';
import {
  cloudEventsHandshake,
  eventGridHandshake,
  gridEvents,
  type KeyVaultEvent,
  keyVaultEvent,
} from './events';

/** Durations are milliseconds. */
export interface EventGridOptions extends HttpOptions {
  /**
   * The resource ids that events may be about; everything below an id is included. Other events are acknowledged and
   * ignored. Default: any.
   */
  readonly topics?: readonly string[] | undefined;
  /** Delays each refresh by a random part of this, so that replicas do not all read the vault together. Default: 0. */
  readonly spreadMs?: number | undefined;
  /** The minimum time between the starts of two refreshes. The first is never delayed. Default: 1 000. */
  readonly minIntervalMs?: number | undefined;
  /**
   * A larger body is refused with 413, as are more than 5 000 events or 200 000 values; Event Grid sends less. Default: 1 MiB.
   */
  readonly maxBodyBytes?: number | undefined;
  /**
   * Called once per delivery with the events that cause a refresh. Use it to log them, to alert on `SecretNearExpiry`, or
   * to notify other replicas. A throw or a rejection is a process warning (`LISTENER_FAILED`).
   */
  readonly onEvents?: ((events: readonly KeyVaultEvent[]) => unknown) | undefined;
}

const WHERE = 'eventGridHandler';
const METHODS = ['POST', 'OPTIONS'];

/**
 * An endpoint for Azure Event Grid: the store refreshes (`trigger: 'event-grid'`) when an object of a vault has a new
 * version or nears its expiry. It supports the Event Grid schema and CloudEvents 1.0 with their handshakes. Any number of
 * events, in any order and with any repetition, cause few refreshes: at most one runs and one waits.
 *
 * The response is 200 once an event is accepted, before the refresh ends: Event Grid treats slow endpoints as broken, and a
 * second delivery would not help a failed refresh. That failure is an `error` event of the store, whose sources retry by
 * themselves.
 *
 * Responses: 200; 400 not JSON, nested too deeply, or no events; 401 refused by `authorize`; 403 from a page of another
 * site, or for a host that `hosts` lacks; 405; 408 body too slow; 413 body too large, or too many events; 415
 * not a JSON type; 503 `authorize` failed, or the store is closed. Event Grid drops an event after 400, 401 and 413, and
 * retries after the others.
 *
 * Throws `OPTION_INVALID` (also without `authorize` or a store), `OPTION_UNKNOWN`.
 *
 * @example
 * ```ts
 * const handler = eventGridHandler(secrets, { authorize: querySecret(secrets, 'webhookCode') });
 * http.createServer(handler.node);   // also: express().all('/hooks/event-grid', handler.node)
 * const response = await handler(new Request('https://shop.example/hooks/event-grid'));   // Hono, Bun, Deno, Next
 * ```
 */
export function eventGridHandler(
  store: Pick<SecretStore<unknown>, 'refresh'> & { snapshot(): unknown },
  options: EventGridOptions,
): HttpHandler {
  assertStore(WHERE, store, ['snapshot', 'refresh']);
  const read = readOptions(WHERE, options, {
    ...httpOptions(WHERE),
    topics: topicFilter,
    spreadMs: ms(0),
    minIntervalMs: ms(1_000),
    maxBodyBytes: count(1_048_576, { least: 1 }),
    onEvents: callback<NonNullable<EventGridOptions['onEvents']>>(),
  });
  const { authorize, requestTimeoutMs, hosts, maxBodyBytes, topics: isAllowed, onEvents } = read;
  const soon = new RefreshSoon(store, 'event-grid', read);
  const warnings = new SayOnce();

  async function respond(received: Received): Promise<Answer> {
    if (received.method === 'OPTIONS') return cloudEventsHandshake(received, METHODS.join(', '));
    const body = await received.json();
    if ('refusal' in body) return body.refusal;
    const events = gridEvents(body.content);
    if (events === undefined) return refusal(400, 'the body holds no events');
    if (events === 'too-many') return refusal(413, 'the body holds too many events');
    const handshake = eventGridHandshake(received, events);
    if (handshake !== undefined) return handshake;
    const accepted = events
      .filter(({ topic }) => isAllowed(topic))
      .map(keyVaultEvent)
      .filter((event) => event !== undefined);
    if (accepted.length > 0) {
      void soon.request();
      isolate(
        () => onEvents?.(accepted),
        (error) => warnings.say(listenerFailure('onEvents', error)),
      );
    }
    return { status: 200, body: { accepted: accepted.length, ignored: events.length - accepted.length } };
  }

  return httpHandler({
    where: WHERE,
    store,
    methods: METHODS,
    authorize,
    requestTimeoutMs,
    hosts,
    maxBodyBytes,
    respond,
  });
}

/**
 * Reads `topics` as a function that tells whether a topic is one of them or lies below one: `/subscriptions/ID` allows a
 * whole subscription. Case is ignored, as Azure does for resource ids.
 */
const topicFilter: Option<(topic: string) => boolean> = (given, reject) => {
  if (given === undefined) return () => true;
  const isUsable = Array.isArray(given) && given.length > 0 && given.every(isTopic);
  if (!isUsable) {
    return reject('a list of resource ids such as /subscriptions/…/providers/Microsoft.KeyVault/vaults/NAME');
  }
  const allowed = (given as string[]).map((one) => `${normalize(one)}/`);
  return (topic) => {
    const below = `${normalize(topic)}/`;
    return allowed.some((one) => below.startsWith(one));
  };
};

function isTopic(topic: unknown): boolean {
  return typeof topic === 'string' && normalize(topic) !== '';
}

function normalize(topic: string): string {
  const plain = topic.trim().toLowerCase();
  let end = plain.length;
  // Not a regular expression, whose time would grow with the square of the slashes.
  while (plain[end - 1] === '/') end -= 1;
  return plain.slice(0, end);
}
