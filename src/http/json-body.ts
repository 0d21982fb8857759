import { refusal } from './answers';
import type { Answer, BodyLimits, Incoming } from './types';

export type JsonBody =
  | { readonly content: unknown }
  /** `consumed`: somebody read the body before, which is no fault of the sender. */
  | { readonly refusal: Answer; readonly consumed?: boolean };

/** The body as JSON, or the answer that says what is wrong with it. */
export async function readJson(incoming: Incoming, limits: BodyLimits): Promise<JsonBody> {
  const { headers } = incoming;
  if (!isJson(headers.get('content-type'))) return no(415, 'the content type is not JSON');
  if (Number(headers.get('content-length') ?? 0) > limits.maxBytes) return no(413, 'the body is too large');
  const body = await incoming.readBody(limits);
  switch (body.kind) {
    case 'parsed':
      return { content: body.content };
    case 'bytes':
      return parse(body.bytes);
    case 'too-large':
      return no(413, 'the body is too large');
    case 'too-slow':
      return no(408, 'the body took too long');
    case 'broken':
      return no(400, 'the body broke off');
    case 'consumed':
      return { ...no(500, 'the body was read before'), consumed: true };
  }
}

/** `application/json` and everything with `+json`. Without a content type the body itself has to show it. */
function isJson(contentType: string | null): boolean {
  if (contentType === null) return true;
  const [type = ''] = contentType.split(';');
  return /^[a-z]+\/([\w.-]+\+)?json$/i.test(type.trim());
}

function parse(bytes: Uint8Array): JsonBody {
  try {
    return { content: JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) };
  } catch {
    // Its message would repeat what was sent.
    return no(400, 'the body is not JSON');
  }
}

function no(status: number, error: string): { readonly refusal: Answer } {
  return { refusal: refusal(status, error) };
}
