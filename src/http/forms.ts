import { readNodeBody, readWebBody } from './body';
import type {
  Answer,
  Body,
  BodyLimits,
  HttpAnswer,
  Incoming,
  NodeRequest,
  NodeResponse,
  WebRequest,
} from './types';

export function fromWeb(request: WebRequest): Incoming {
  const { method, headers } = request;
  return {
    method: method.toUpperCase(),
    url: new URL(request.url, 'http://localhost'),
    headers,
    async readBody(limits: BodyLimits): Promise<Body> {
      if (request.bodyUsed) return { kind: 'consumed' };
      // In some runtimes a request without a body has no `body` property.
      if (!request.body) return { kind: 'bytes', bytes: new Uint8Array() };
      return readWebBody(request.body, limits);
    },
  };
}

/** The response to HEAD has no body; Node's servers drop it by themselves. */
export function toWeb(answer: Answer, method: string): Response {
  const { status, headers, text } = render(answer);
  return new Response(method === 'HEAD' ? null : (text ?? null), { status, headers });
}

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

export async function toAnswer(answer: Answer, request: NodeRequest): Promise<HttpAnswer> {
  // A refusal can be faster than a body in the same packet.
  if (!request.complete) await new Promise(setImmediate);
  const { status, headers, text = '' } = render(answer);
  // Otherwise Node would read the rest of the body, however long, before the next request.
  const isUnread = !request.complete && request.httpVersionMajor < 2;
  return { status, headers: isUnread ? { ...headers, connection: 'close' } : headers, body: text };
}

export function toNode({ status, headers, body }: HttpAnswer, response: NodeResponse): void {
  // Something else answered, or the client left.
  if (response.headersSent || response.destroyed) return;
  response.statusCode = status;
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  response.end(body);
}

/** The parts of a response that all forms share. */
function render({ status, headers, body, text = body && JSON.stringify(body) }: Answer) {
  return {
    status,
    headers: {
      // The URL may hold a secret, so no cache may keep the response.
      'cache-control': 'no-store',
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...headers,
    },
    text,
  };
}

/**
 * The body as a body parser left it. `undefined` if the stream is unread and `body` is missing or `{}`, which is what the
 * parser of Express 4 leaves for a content type that it does not handle.
 */
function parsedBody(request: NodeRequest, { maxBytes }: BodyLimits): Body | undefined {
  const { body } = request;
  const isUnread = request.readableDidRead === false && !request.readableEnded;
  if (body === undefined || (isUnread && isEmptyObject(body))) {
    return isUnread ? undefined : { kind: 'consumed' };
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

// A path or query inside the Host header would precede the real ones, which an authorizer reads.
const HOST = /^(?:[\w.-]+|\[[\da-f:.]+\])(?::\d+)?$/i;

function urlOf({ originalUrl, url = '/', headers }: NodeRequest): URL {
  const target = originalUrl ?? url;
  const host = hostOf(headers);
  // Concatenated, because resolving a path that starts with two slashes against a base would change the host.
  const absolute = target.startsWith('/')
    ? `http://${HOST.test(host) ? host : 'localhost'}${target}`
    : target;
  if (URL.canParse(absolute)) return new URL(absolute);
  return new URL(target.startsWith('/') ? `http://localhost${target}` : 'http://localhost/');
}

/** HTTP/2 has a pseudo-header for it. */
function hostOf(headers: NodeRequest['headers']): string {
  const { host = headers[':authority'] ?? '' } = headers;
  return String(host);
}

function headersOf(request: NodeRequest): Headers {
  const headers = new Headers();
  if (request.headers.host === undefined && hostOf(request.headers) !== '') {
    headers.set('host', hostOf(request.headers));
  }
  for (const [name, value] of Object.entries(request.headers)) {
    // The pseudo-headers of HTTP/2 start with a colon.
    if (value === undefined || name.startsWith(':')) continue;
    for (const one of [value].flat()) headers.append(name, one);
  }
  return headers;
}
