/** An event of either schema, by what both have. */
export interface GridEvent {
  /** `eventType`, or `type` of a CloudEvent. */
  readonly type: string;
  /** `topic`, or `source` of a CloudEvent: the resource that it is about. */
  readonly topic: string;
  readonly id: string | undefined;
  readonly time: Date | undefined;
  readonly data: Fields;
}

/** Fields of an object without regard to case, and to blanks around a name: Microsoft's own samples vary in both. */
export interface Fields {
  text(name: string): string | undefined;
  /** From seconds since 1970, as a number or as digits. */
  seconds(name: string): Date | undefined;
}

/** The events of a body: one, or a list of them. `undefined` for what is neither. */
export function gridEvents(content: unknown): readonly GridEvent[] | undefined {
  if (!isObject(content)) return undefined;
  return [content].flat().filter(isObject).map(gridEvent);
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
  const fields = new Map(
    isObject(content) ? Object.entries(content).map(([name, value]) => [plain(name), value as unknown]) : [],
  );
  return {
    text(name) {
      const value = fields.get(plain(name));
      return typeof value === 'string' ? value.trim() : undefined;
    },
    seconds(name) {
      const value = fields.get(plain(name));
      const digits = typeof value === 'string' && /^\s*\d+\s*$/.test(value);
      return typeof value === 'number' || digits ? dateOf(Number(value) * 1000) : undefined;
    },
  };
}

function dateOf(ms: number): Date | undefined {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? undefined : date;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
