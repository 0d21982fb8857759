/** The part of a response of the Azure clients that tells who answered. */
export interface WireResponse {
  readonly status: number;
  readonly headers: { get(name: string): string | undefined };
  readonly bodyAsText?: string | null | undefined;
}

/**
 * An answer that did not come from a vault, or without what a vault sends. The clients would lose its status: they throw a
 * `TypeError` if there is no error code in JSON. Holds nothing of the body.
 */
export class StrangeAnswer extends Error {
  override readonly name = 'StrangeAnswer';
  readonly statusCode: number;
  readonly response: Pick<WireResponse, 'headers'>;
  /** What was received instead of JSON, such as `text/html`. */
  readonly received: string;

  constructor({ status, headers, bodyAsText }: WireResponse) {
    super(`an answer with status ${status}`);
    this.statusCode = status;
    this.response = { headers };
    this.received = describeBody(headers.get('content-type'), bodyAsText);
  }
}

/** @throws `StrangeAnswer` for an answer that the client of a vault could not read. */
export function assertVaultAnswer(response: WireResponse): void {
  const { status, headers, bodyAsText } = response;
  // The challenge, which a vault answers to a request without a token.
  if (status === 401 && /^Bearer /i.test(headers.get('www-authenticate') ?? '')) return;
  const body = objectIn(bodyAsText);
  const expected =
    status < 300 ? 'value' in body : typeof (body.error as Json | undefined)?.code === 'string';
  if (!expected) throw new StrangeAnswer(response);
}

/** @throws `StrangeAnswer` if something else than Entra ID answered, which sends JSON with every status. */
export function assertEntraAnswer(response: WireResponse): void {
  if (Object.keys(objectIn(response.bodyAsText)).length === 0) throw new StrangeAnswer(response);
}

type Json = Readonly<Record<string, unknown>>;

function objectIn(text: string | null | undefined): Json {
  try {
    const json: unknown = JSON.parse(text ?? '');
    return typeof json === 'object' && json !== null ? (json as Json) : {};
  } catch {
    return {};
  }
}

function describeBody(type: string | undefined, text: string | null | undefined): string {
  if (!text) return 'no body';
  const [media = ''] = (type ?? '').toLowerCase().split(';');
  if (!/^[a-z]+\/[a-z0-9.+-]{1,40}$/.test(media)) return 'a body without a content type';
  if (!media.includes('json')) return media;
  return Object.keys(objectIn(text)).length > 0 ? 'JSON of another service' : 'JSON that cannot be parsed';
}
