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

/** Parsing takes long for many values, far fewer than fit into the allowed bytes (`{},{},{},…`). */
const MAX_VALUES = 200_000;
/** Names and objects cost more than other values. A full batch of Event Grid has about 40 000 names. */
const MAX_NAMES = 50_000;
const MAX_OBJECTS = 20_000;
const MAX_DEPTH = 32;

/** Refuses a body that would take long to parse, without parsing it. */
function refuseCostly(bytes: Uint8Array): JsonBody | undefined {
  let depth = 0;
  let objects = 0;
  let names = 0;
  let values = 0;
  for (let at = 0; at < bytes.length; at += 1) {
    switch (bytes[at]) {
      case 0x22: // "
        for (at += 1; at < bytes.length && bytes[at] !== 0x22; at += 1) if (bytes[at] === 0x5c) at += 1;
        break;
      case 0x2c: // ,
        values += 1;
        if (values > MAX_VALUES) return reject(413, 'the body holds too many values');
        break;
      case 0x3a: // :
        names += 1;
        if (names > MAX_NAMES) return reject(413, 'the body holds too many values');
        break;
      case 0x5b: // [
      case 0x7b: // {
        objects += 1;
        depth += 1;
        if (objects > MAX_OBJECTS) return reject(413, 'the body holds too many values');
        if (depth > MAX_DEPTH) return reject(400, 'the body is nested too deeply');
        break;
      case 0x5d: // ]
      case 0x7d: // }
        depth -= 1;
        break;
    }
  }
  return undefined;
}

function parse(bytes: Uint8Array): JsonBody {
  const refused = refuseCostly(bytes);
  if (refused !== undefined) return refused;
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
  // One buffer that grows, because a sender may split a body into a million chunks.
  let buffer = Buffer.allocUnsafe(0);
  let size = 0;
  return {
    /** Returns false once the size exceeds the limit. */
    add(chunk: Uint8Array): boolean {
      if (size + chunk.byteLength > maxBytes) return false;
      if (size + chunk.byteLength > buffer.byteLength) {
        const grown = Buffer.allocUnsafe(Math.max(4_096, 2 * (size + chunk.byteLength)));
        buffer.copy(grown, 0, 0, size);
        buffer = grown;
      }
      buffer.set(chunk, size);
      size += chunk.byteLength;
      return true;
    },
    body: (): Body => ({ kind: 'bytes', bytes: buffer.subarray(0, size) }),
  };
}
