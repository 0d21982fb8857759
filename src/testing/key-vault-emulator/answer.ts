/** What goes back for a request. */
export interface Answer {
  readonly status: number;
  /** Beside those that every answer of this host has. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Becomes JSON; `undefined` for no body at all. */
  readonly body: unknown;
  /** Default: as it is. */
  readonly delivery?: Delivery;
}

export type Delivery = 'cut' | 'hang-before-headers' | 'hang-in-body' | 'reset';

/** A request, read whole. */
export interface Asked {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

/** One of the two hosts. */
export interface Service {
  readonly host: string;
  answer(asked: Asked): Promise<Answer>;
  /** What every answer carries. */
  headers(asked: Asked): Record<string, string>;
}

/** A header that should be there once. */
export function header(asked: Asked, name: string): string | undefined {
  const value = asked.headers[name];
  return Array.isArray(value) ? value[0] : value;
}
