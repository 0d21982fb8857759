import { refusal } from '../../http/answers';
import type { Answer, Received } from '../../http/types';
import type { GridEvent } from './grid-event';

// Neither handshake follows the url that it carries (`validationUrl`, `WebHook-Request-Callback`): what somebody sends
// must not decide where this process connects to.

/**
 * The handshake of CloudEvents: the sender asks by which name it may deliver.
 * https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/http-webhook.md#4-abuse-protection
 */
export function cloudEventsHandshake({ headers }: Received, allow: string): Answer {
  const origin = headers.get('webhook-request-origin');
  // Without it, it asks what any OPTIONS asks.
  if (origin === null) return { status: 204, headers: { allow } };
  if (!/^[\w.*:-]{1,253}$/.test(origin)) return refusal(400, 'the origin is no host name');
  return {
    status: 200,
    headers: { allow, 'webhook-allowed-origin': origin, 'webhook-allowed-rate': '*' },
  };
}

const VALIDATION = 'microsoft.eventgrid.subscriptionvalidationevent';

/** The handshake of the Event Grid schema; `undefined` for a delivery. It has to be 200, with the code. */
export function eventGridHandshake({ headers }: Received, events: readonly GridEvent[]): Answer | undefined {
  const announced = headers.get('aeg-event-type')?.toLowerCase() === 'subscriptionvalidation';
  const event = events.find(({ type }) => type.toLowerCase() === VALIDATION);
  if (!announced && event === undefined) return undefined;
  const code = event?.data.text('validationCode') ?? '';
  if (!/^[\w.~+/=-]{1,512}$/.test(code)) return refusal(400, 'there is no validation code');
  return { status: 200, body: { validationResponse: code } };
}
