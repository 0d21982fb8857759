import { refusal } from '../body';
import type { Answer, Received } from '../types';

/** An event of either schema, reduced to the fields that both have. */
export interface GridEvent {
  /** `eventType`, or `type` of a CloudEvent. */
  readonly type: string;
  /** The resource of the event: `topic`, or `source` of a CloudEvent. */
  readonly topic: string;
  readonly id: string | undefined;
  readonly time: Date | undefined;
  readonly data: Fields;
}

/** An event of a vault. It names objects and holds no value. A field that the event lacks is `undefined`. */
export interface KeyVaultEvent {
  readonly type: `Microsoft.KeyVault.${(typeof OBJECTS)[number]}${(typeof CHANGES)[number]}`;
  /** Identical for each delivery of one event. */
  readonly id: string | undefined;
  /** The resource id of the vault. */
  readonly topic: string;
  readonly time: Date | undefined;
  readonly vaultName: string | undefined;
  readonly objectType: string | undefined;
  readonly objectName: string | undefined;
  /** The address of the version: `https://VAULT.vault.azure.net/secrets/NAME/VERSION`. */
  readonly objectId: string | undefined;
  readonly version: string | undefined;
  readonly notBefore: Date | undefined;
  readonly expires: Date | undefined;
}

/** The fields of an object, ignoring case and spaces around a name: Microsoft's own samples vary in both. */
interface Fields {
  text(name: string): string | undefined;
  /** Converts seconds since 1970, as a number or as digits. */
  seconds(name: string): Date | undefined;
}

const OBJECTS = ['Secret', 'Key', 'Certificate'] as const;
const CHANGES = ['NewVersionCreated', 'NearExpiry', 'Expired'] as const;
const TYPES = new Map(
  OBJECTS.flatMap((object) => CHANGES.map((change) => `Microsoft.KeyVault.${object}${change}` as const)).map(
    (type) => [type.toLowerCase(), type],
  ),
);

/** The most events that Event Grid sends in one batch. */
const MAX_EVENTS = 5_000;
/** Larger objects and longer texts are not of Event Grid. They are ignored, because reading them would take long. */
const MAX_FIELDS = 100;
const MAX_TEXT = 2_048;

/** The events of a body: one, or a list of them. Returns `undefined` for anything else. */
export function gridEvents(content: unknown): readonly GridEvent[] | 'too-many' | undefined {
  if (!isObject(content)) return undefined;
  if (!Array.isArray(content)) return [gridEvent(content)];
  if (content.length > MAX_EVENTS) return 'too-many';
  return content.filter(isObject).map(gridEvent);
}

/** Reads the event as one of a vault. Returns `undefined` for any other type. */
export function keyVaultEvent({ type, id, topic, time, data }: GridEvent): KeyVaultEvent | undefined {
  const known = TYPES.get(type.toLowerCase());
  if (known === undefined) return undefined;
  return {
    type: known,
    id,
    topic,
    time,
    vaultName: data.text('VaultName'),
    objectType: data.text('ObjectType'),
    objectName: data.text('ObjectName'),
    objectId: data.text('Id'),
    version: data.text('Version'),
    notBefore: data.seconds('NBF'),
    expires: data.seconds('EXP'),
  };
}

// Neither handshake requests the URL that it carries (`validationUrl`, `WebHook-Request-Callback`): a sender must not
// decide where this process connects to.

/**
 * The handshake of CloudEvents, in which the sender asks under which name it may deliver.
 * https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/http-webhook.md#4-abuse-protection
 */
export function cloudEventsHandshake({ headers }: Received, allow: string): Answer {
  const origin = headers.get('webhook-request-origin');
  // Without that header this is an ordinary OPTIONS request.
  if (origin === null) return { status: 204, headers: { allow } };
  if (!/^[\w.*:-]{1,253}$/.test(origin)) return refusal(400, 'the origin is not a host name');
  return {
    status: 200,
    headers: { allow, 'webhook-allowed-origin': origin, 'webhook-allowed-rate': '*' },
  };
}

const VALIDATION = 'microsoft.eventgrid.subscriptionvalidationevent';

/** The handshake of the Event Grid schema, which requires 200 and the code; `undefined` for a delivery. */
export function eventGridHandshake({ headers }: Received, events: readonly GridEvent[]): Answer | undefined {
  const isAnnounced = headers.get('aeg-event-type')?.toLowerCase() === 'subscriptionvalidation';
  const event = events.find(({ type }) => type.toLowerCase() === VALIDATION);
  if (!isAnnounced && event === undefined) return undefined;
  const code = event?.data.text('validationCode') ?? '';
  if (!/^[\w.~+/=-]{1,512}$/.test(code)) return refusal(400, 'the validation code is missing');
  return { status: 200, body: { validationResponse: code } };
}

function gridEvent(content: object): GridEvent {
  const event = fieldsOf(content);
  const time = event.text('eventTime') ?? event.text('time');
  return {
    type: event.text('eventType') ?? event.text('type') ?? '',
    topic: event.text('topic') ?? event.text('source') ?? '',
    id: event.text('id'),
    time: time === undefined ? undefined : dateOf(Date.parse(time)),
    data: fieldsOf((content as { data?: unknown }).data),
  };
}

function fieldsOf(content: unknown): Fields {
  const plain = (name: string) => name.trim().toLowerCase();
  const names = isObject(content) && !Array.isArray(content) ? Object.keys(content) : [];
  const fields = new Map<string, unknown>();
  if (names.length <= MAX_FIELDS) {
    for (const name of names) {
      const value = (content as Record<string, unknown>)[name];
      const isLong = typeof value === 'string' && value.length > MAX_TEXT;
      if (name.length <= MAX_TEXT && !isLong) fields.set(plain(name), value);
    }
  }
  return {
    text(name) {
      const value = fields.get(plain(name));
      return typeof value === 'string' ? value.trim() : undefined;
    },
    seconds(name) {
      const value = fields.get(plain(name));
      const isDigits = typeof value === 'string' && /^\s*\d+\s*$/.test(value);
      return typeof value === 'number' || isDigits ? dateOf(Number(value) * 1000) : undefined;
    },
  };
}

function dateOf(sinceEpochMs: number): Date | undefined {
  const date = new Date(sinceEpochMs);
  return Number.isNaN(date.getTime()) ? undefined : date;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
