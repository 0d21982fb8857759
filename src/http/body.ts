import type { SecretsErrorCode } from '../errors';
import { unrefTimer } from '../internal/time';
import type { Answer, Body, BodyLimits, Incoming, NodeRequest, WebBody } from './types';

export type JsonBody =
  | { readonly content: unknown }
  /** `consumed`: other code read the body before, which is not the sender's fault. */
  | { readonly refusal: Answer; readonly consumed?: boolean };

/** The body as JSON, or the answer that says what is wrong with it. */
export async function readJson(incoming: Incoming, limits: BodyLimits): Promise<JsonBody> {
  const { headers } = incoming;
  if (!isJson(headers.get('content-type'))) return reject(415, 'the content type is not JSON');
  if (Number(headers.get('content-length') ?? 0) > limits.maxBytes)
    return reject(413, 'the body is too large');
  const body = await incoming.readBody(limits);
  switch (body.kind) {
    case 'parsed':
      return { content: body.content };
    case 'bytes':
      return parse(body.bytes);
    case 'too-large':
      return reject(413, 'the body is too large');
    case 'too-slow':
      return reject(408, 'the body took too long');
    case 'broken':
      return reject(400, 'the body ended early');
    case 'consumed':
      return { ...reject(500, 'the body was read before'), consumed: true };
  }
}

/** A refusal. `error` and `code` are our own: nothing of a request is ever sent back. */
export function refusal(
  status: number,
  error: string,
  headers?: Answer['headers'],
  code?: SecretsErrorCode,
): Answer {
  return { status, body: { error, code }, headers };
}

/** Reads a Web stream, and stops at its limits. */
export async function readWebBody(stream: WebBody, limits: BodyLimits): Promise<Body> {
  const reader = stream.getReader();
  const chunks = collect(limits);
  let cancelTimer = () => {};
  const late = new Promise<'late'>((resolve) => {
    cancelTimer = unrefTimer(limits.timeoutMs, () => resolve('late'));
  });
  try {
    for (;;) {
      const next = await Promise.race([reader.read(), late]);
      if (next === 'late') return abandon(reader, 'too-slow');
      if (next.done || next.value === undefined) return chunks.body();
      if (!chunks.add(next.value)) return abandon(reader, 'too-large');
    }
  } catch {
    return { kind: 'broken' };
  } finally {
    cancelTimer();
  }
}

/**
 * Reads a Node stream within its limits. It uses listeners, since `for await` would destroy the stream when it stops
 * early, and with it the connection that carries the response.
 */
export function readNodeBody(request: NodeRequest, limits: BodyLimits): Promise<Body> {
  return new Promise((resolve) => {
    const chunks = collect(limits);
    const finish = (body: Body) => {
      cancelTimer();
      request.off('data', onData).off('end', onEnd).off('close', onClose);
      if (body.kind !== 'bytes') request.pause();
      resolve(body);
    };
    // Chunks are strings once an encoding is set.
    const onData = (chunk: Uint8Array | string) => {
      if (!chunks.add(typeof chunk === 'string' ? Buffer.from(chunk) : chunk)) finish({ kind: 'too-large' });
    };
    const onEnd = () => finish(chunks.body());
    const onClose = () => finish({ kind: 'broken' });
    const cancelTimer = unrefTimer(limits.timeoutMs, () => finish({ kind: 'too-slow' }));
    // This listener stays, because an error event without one ends the process. Node's own requests do not emit
    // unheard errors; requests that only resemble them do.
    request.on('error', onClose);
    if (request.destroyed) return onClose();
    request.on('data', onData).on('end', onEnd).on('close', onClose);
  });
}

/** Accepts `application/json`, any `+json` type, and a missing content type: parsing decides then. */
function isJson(contentType: string | null): boolean {
  if (contentType === null) return true;
  const [type = ''] = contentType.split(';');
  return /^[a-z]+\/([\w.-]+\+)?json$/i.test(type.trim());
}

function parse(bytes: Uint8Array): JsonBody {
  try {
    return { content: JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) };
  } catch {
    // The parser's message would repeat what was sent.
    return reject(400, 'the body is not JSON');
  }
}

function reject(status: number, error: string): { readonly refusal: Answer } {
  return { refusal: refusal(status, error) };
}

function abandon(reader: { cancel(): Promise<void> }, kind: 'too-slow' | 'too-large'): Body {
  // Not awaited, because it may settle only when the client has finished.
  reader.cancel().catch(() => {});
  return { kind };
}

function collect({ maxBytes }: BodyLimits) {
  const chunks: Uint8Array[] = [];
  let size = 0;
  return {
    /** Returns false once the size exceeds the limit. */
    add(chunk: Uint8Array): boolean {
      size += chunk.byteLength;
      chunks.push(chunk);
      return size <= maxBytes;
    },
    body: (): Body => ({ kind: 'bytes', bytes: Buffer.concat(chunks) }),
  };
}
