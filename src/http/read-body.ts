import { unrefTimer } from '../internal/time';
import type { Body, BodyLimits, NodeRequest, WebBody } from './types';

/** Reads a Web stream within its bounds. What is over them is not read. */
export async function readWebBody(stream: WebBody, limits: BodyLimits): Promise<Body> {
  const reader = stream.getReader();
  const gathered = gather(limits);
  let cancelTimer = () => {};
  const late = new Promise<'late'>((resolve) => {
    cancelTimer = unrefTimer(limits.timeoutMs, () => resolve('late'));
  });
  try {
    for (;;) {
      const next = await Promise.race([reader.read(), late]);
      if (next === 'late') return abandoned(reader, 'too-slow');
      if (next.done || next.value === undefined) return gathered.body();
      if (!gathered.add(next.value)) return abandoned(reader, 'too-large');
    }
  } catch {
    return { kind: 'broken' };
  } finally {
    cancelTimer();
  }
}

function abandoned(reader: { cancel(): Promise<void> }, kind: 'too-slow' | 'too-large'): Body {
  // It may settle only when the client is done, and nobody waits for that.
  reader.cancel().catch(() => {});
  return { kind };
}

/**
 * Reads a Node stream within its bounds. With listeners, not with `for await`: that destroys the stream when it stops
 * early, and with it the connection that the answer has to take.
 */
export function readNodeBody(request: NodeRequest, limits: BodyLimits): Promise<Body> {
  return new Promise((resolve) => {
    const gathered = gather(limits);
    const done = (body: Body) => {
      cancelTimer();
      request.off('data', onData).off('end', onEnd).off('close', onClose);
      if (body.kind !== 'bytes') request.pause();
      resolve(body);
    };
    // Text, where somebody set an encoding.
    const onData = (chunk: Uint8Array | string) => {
      if (!gathered.add(typeof chunk === 'string' ? Buffer.from(chunk) : chunk)) done({ kind: 'too-large' });
    };
    const onEnd = () => done(gathered.body());
    const onClose = () => done({ kind: 'broken' });
    const cancelTimer = unrefTimer(limits.timeoutMs, () => done({ kind: 'too-slow' }));
    // It stays when the body is given up: an error without a listener ends the process. Node's own requests keep to
    // themselves what nobody listens to; those that only look like them do not.
    request.on('error', onClose);
    if (request.destroyed) return onClose();
    request.on('data', onData).on('end', onEnd).on('close', onClose);
  });
}

function gather({ maxBytes }: BodyLimits) {
  const chunks: Uint8Array[] = [];
  let size = 0;
  return {
    /** False once it is more than allowed. */
    add(chunk: Uint8Array): boolean {
      size += chunk.byteLength;
      chunks.push(chunk);
      return size <= maxBytes;
    },
    body: (): Body => ({ kind: 'bytes', bytes: Buffer.concat(chunks) }),
  };
}
