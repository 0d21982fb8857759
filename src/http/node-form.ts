import { rendered } from './answers';
import { readNodeBody } from './read-body';
import type { Answer, Body, BodyLimits, Incoming, NodeRequest, NodeResponse } from './types';

export function fromNode(request: NodeRequest): Incoming {
  return {
    method: request.method ?? 'GET',
    url: urlOf(request),
    headers: headersOf(request),
    async readBody(limits) {
      return parsedBody(request, limits) ?? readNodeBody(request, limits);
    },
  };
}

export async function toNode(answer: Answer, request: NodeRequest, response: NodeResponse): Promise<void> {
  // A refusal can be faster than the body that came in the same packet.
  if (!request.complete) await new Promise(setImmediate);
  // Somebody else answered, or nobody is there any more.
  if (response.headersSent || response.destroyed) return;
  const { status, headers, text } = rendered(answer);
  response.statusCode = status;
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  // What is left of the body would be read to its end, however long it is, before the next request.
  if (!request.complete && request.httpVersionMajor < 2) response.setHeader('connection', 'close');
  response.end(text ?? '');
}

/**
 * What a body parser made of the body. A stream that nobody read is read here all the same where `body` is missing or
 * `{}`: that is what the parser of Express 4 leaves where it was not for this content type.
 */
function parsedBody(request: NodeRequest, { maxBytes }: BodyLimits): Body | undefined {
  const { body } = request;
  const untouched = request.readableDidRead === false && !request.readableEnded;
  if (body === undefined || (untouched && isEmptyObject(body))) {
    return untouched ? undefined : { kind: 'consumed' };
  }
  if (typeof body !== 'string' && !(body instanceof Uint8Array)) return { kind: 'parsed', content: body };
  const bytes = typeof body === 'string' ? Buffer.from(body) : body;
  return bytes.byteLength > maxBytes ? { kind: 'too-large' } : { kind: 'bytes', bytes };
}

function isEmptyObject(value: unknown): boolean {
  return (
    typeof value === 'object' && value !== null && !Array.isArray(value) && Object.keys(value).length === 0
  );
}

// A host with a path or a query in it would put them before those of the request, where `authorize` looks.
const HOST = /^(?:[\w.-]+|\[[\da-f:.]+\])(?::\d+)?$/i;

function urlOf({ originalUrl, url = '/', headers }: NodeRequest): URL {
  const target = originalUrl ?? url;
  const { host = '' } = headers;
  // Joined as text: resolved against a base, a path that begins with two slashes would name a host.
  const absolute = target.startsWith('/')
    ? `http://${HOST.test(host) ? host : 'localhost'}${target}`
    : target;
  if (URL.canParse(absolute)) return new URL(absolute);
  return new URL(target.startsWith('/') ? `http://localhost${target}` : 'http://localhost/');
}

function headersOf(request: NodeRequest): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(request.headers)) {
    // The pseudo headers of HTTP/2 begin with a colon.
    if (value === undefined || name.startsWith(':')) continue;
    for (const one of [value].flat()) headers.append(name, one);
  }
  return headers;
}
