import { SecretsError } from '../../errors';
import { refusal } from '../../http/answers';
import { HTTP_OPTIONS, type HttpBodyOptions, httpHandler } from '../../http/http-handler';
import type { Answer, HttpHandler, Received } from '../../http/types';
import { isolate } from '../../internal/events';
import { assertNumber, rejectUnknownOptions } from '../../internal/options';
import { listenerFailure, SayOnce } from '../../internal/warnings';
import { RefreshSoon, type TriggerStore } from '../refresh-soon';
import { gridEvents } from './grid-event';
import { cloudEventsHandshake, eventGridHandshake } from './handshake';
import { type KeyVaultEvent, keyVaultEvent } from './key-vault-event';
import { topicFilter } from './topics';

/** Durations are milliseconds. */
export interface EventGridOptions extends HttpBodyOptions {
  /**
   * Resource ids that events may be about; what lies below one is allowed too. Events of others are acknowledged and
   * ignored. Default: any.
   */
  readonly topics?: readonly string[];
  /** For many replicas that hear of one event together: each looks a random part of this later. Default: 0. */
  readonly spreadMs?: number;
  /** Looks begin at least this far apart; the first is not put off. Default: 1 000. */
  readonly minIntervalMs?: number;
  /**
   * Hears of the events that make the store look, once per delivery: to log them, to alert on `SecretNearExpiry`, or to
   * tell the other replicas. A throw or a rejection is a process warning (`LISTENER_FAILED`).
   */
  readonly onEvents?: (events: readonly KeyVaultEvent[]) => unknown;
}

const WHERE = 'eventGridHandler';
const KNOWN = [...HTTP_OPTIONS, 'maxBodyBytes', 'topics', 'spreadMs', 'minIntervalMs', 'onEvents'];
const METHODS = ['POST', 'OPTIONS'];

/**
 * An endpoint for Azure Event Grid: when a vault has a new version of something, or it nears its end, the store looks at
 * once (`trigger: 'event-grid'`). It speaks the Event Grid schema and CloudEvents 1.0, with their handshakes. Any number
 * of events, in any order and however often, become few looks: one runs, one waits.
 *
 * An event is answered with 200 when it is accepted, not when the look is done: Event Grid holds a slow endpoint for a
 * broken one, and to send the event again would not help a look that failed. That is an `error` event of the store,
 * whose sources try again themselves.
 *
 * Answers: 200; 400 no JSON, or no events; 401 refused by `authorize`; 405; 408 and 413 body too slow, too large; 415
 * no JSON type; 503 `authorize` failed, or the store is closed. Event Grid drops an event after 400, 401 and 413, and
 * tries again after the others.
 *
 * Throws `OPTION_INVALID` (also without `authorize`), `OPTION_UNKNOWN`.
 *
 * @example
 * ```ts
 * const handler = eventGridHandler(secrets, { authorize: querySecret(secrets, 'webhookCode') });
 * http.createServer(handler.node);   // also: express().all('/hooks/event-grid', handler.node)
 * const response = await handler(new Request('https://shop.example/hooks/event-grid'));   // Hono, Bun, Deno, Next
 * ```
 */
export function eventGridHandler(store: TriggerStore, options: EventGridOptions): HttpHandler {
  rejectUnknownOptions(WHERE, options ?? {}, KNOWN);
  const { topics, spreadMs = 0, minIntervalMs = 1_000, onEvents } = options ?? {};
  assertNumber(WHERE, 'spreadMs', spreadMs);
  assertNumber(WHERE, 'minIntervalMs', minIntervalMs);
  assertFunction('onEvents', onEvents);
  const isAllowed = topicFilter(WHERE, topics);
  const soon = new RefreshSoon(store, 'event-grid', { spreadMs, minIntervalMs });
  const warnings = new SayOnce();

  async function respond(received: Received): Promise<Answer> {
    if (received.method === 'OPTIONS') return cloudEventsHandshake(received, METHODS.join(', '));
    const body = await received.json();
    if ('refusal' in body) return body.refusal;
    const events = gridEvents(body.content);
    if (events === undefined) return refusal(400, 'the body holds no events');
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

  return httpHandler({ where: WHERE, store, methods: METHODS, respond }, options ?? {});
}

function assertFunction(option: string, value: unknown): void {
  if (value === undefined || typeof value === 'function') return;
  throw new SecretsError('OPTION_INVALID', `${option} of ${WHERE} is no function`);
}
