import { rendered } from './answers';
import { readWebBody } from './read-body';
import type { Answer, Body, BodyLimits, Incoming, WebRequest } from './types';

export function fromWeb(request: WebRequest): Incoming {
  const { method, headers } = request;
  return {
    method: method.toUpperCase(),
    url: new URL(request.url, 'http://localhost'),
    headers,
    async readBody(limits: BodyLimits): Promise<Body> {
      if (request.bodyUsed) return { kind: 'consumed' };
      // Some runtimes have no `body` at all where there is none.
      if (!request.body) return { kind: 'bytes', bytes: new Uint8Array() };
      return readWebBody(request.body, limits);
    },
  };
}

/** `method`: an answer to HEAD has headers alone; servers of Node see to that themselves. */
export function toWeb(answer: Answer, method: string): Response {
  const { status, headers, text } = rendered(answer);
  return new Response(method === 'HEAD' ? null : (text ?? null), { status, headers });
}
