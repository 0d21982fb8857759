import { describe, expect, it, vi } from 'vitest';
import { eventGridHandler } from '../../../src/triggers/index';
import { deferred } from '../../support/deferred';
import { delivery, gridSample } from '../../support/event-grid';
import { countingStore, recordWarnings } from '../triggers/stage';

const MARKER = 'marker-value';

function stage(options: Partial<Parameters<typeof eventGridHandler>[1]> = {}) {
  const store = countingStore();
  return { store, handler: eventGridHandler(store, { authorize: () => true, ...options }) };
}

/** A body that comes in parts; after them it stays open, unless it is to end. */
function streamed(parts: readonly string[], ends: boolean): Request {
  const state = { cancelled: false };
  const body = new ReadableStream({
    start(controller) {
      for (const part of parts) controller.enqueue(new TextEncoder().encode(part));
      if (ends) controller.close();
    },
    cancel() {
      state.cancelled = true;
    },
  });
  const init = { method: 'POST', body, duplex: 'half', headers: { 'content-type': 'application/json' } };
  return Object.assign(new Request('https://shop.example/hooks', init as RequestInit), { state });
}

describe('a request that cannot be an event', () => {
  it.each([
    { status: 400, title: 'no JSON', request: () => delivery(`{"${MARKER}`) },
    { status: 400, title: 'nothing', request: () => delivery('') },
    { status: 400, title: 'no event', request: () => delivery(`"${MARKER}"`) },
    { status: 400, title: 'null', request: () => delivery('null') },
    {
      status: 400,
      title: 'text that is no UTF-8',
      request: () =>
        new Request('https://shop.example/', {
          method: 'POST',
          body: Buffer.concat([Buffer.from('["'), Uint8Array.of(0xff), Buffer.from('"]')]),
        }),
    },
    {
      status: 415,
      title: 'no JSON type',
      request: () => delivery([gridSample], { contentType: 'text/plain' }),
    },
    {
      status: 413,
      title: 'too much',
      request: () => delivery(JSON.stringify([gridSample, 'x'.repeat(2_000)])),
    },
    { status: 413, title: 'too much in parts', request: () => streamed(['[', ' '.repeat(3_000)], false) },
  ])('is answered with $status: $title', async ({ status, request }) => {
    const { store, handler } = stage({ maxBodyBytes: 2_000 });
    const response = await handler(request());
    const text = await response.text();
    expect([response.status, Object.keys(JSON.parse(text))]).toEqual([status, ['error']]);
    expect(text).not.toMatch(new RegExp(`${MARKER}|newsecret`));
    expect(store.triggers).toEqual([]);
  });

  it('may come in parts all the same', async () => {
    const { handler } = stage();
    const text = JSON.stringify([gridSample]);
    const response = await handler(streamed([text.slice(0, 7), text.slice(7, 70), text.slice(70)], true));
    expect([response.status, await response.json()]).toEqual([200, { accepted: 1, ignored: 0 }]);
  });

  it('is answered with 408 when its body takes too long, and is read no further', async () => {
    const { handler } = stage({ requestTimeoutMs: 30 });
    const request = streamed(['[{'], false);
    expect((await handler(request)).status).toBe(408);
    await expect.poll(() => request).toMatchObject({ state: { cancelled: true } });
  });

  it('is answered with 500 when somebody read its body before, and that is told once', async () => {
    using warnings = recordWarnings();
    const { handler } = stage();
    for (const _round of [1, 2, 3]) {
      const request = delivery([gridSample]);
      await request.text();
      expect((await handler(request)).status).toBe(500);
    }
    expect(warnings.codes()).toEqual(['OPTION_INVALID']);
  });

  it.each(['GET', 'HEAD', 'PUT', 'DELETE'])(
    'is answered with 405 and what is allowed: %s',
    async (method) => {
      const { handler } = stage({
        authorize: () => {
          throw new Error('not asked');
        },
      });
      const response = await handler(new Request('https://shop.example/hooks', { method }));
      expect([response.status, response.headers.get('allow')]).toEqual([405, 'POST, OPTIONS']);
    },
  );
});

describe('authorize', () => {
  it.each([undefined, null, 0, 1, 'true', {}])('lets nothing in with %s instead of true', async (verdict) => {
    const { store, handler } = stage({ authorize: () => verdict as unknown as boolean });
    expect((await handler(delivery([gridSample]))).status).toBe(401);
    expect(store.triggers).toEqual([]);
  });

  it('is asked before a byte of the body is read', async () => {
    const { handler } = stage({ authorize: async () => false });
    const request = delivery(`{"${MARKER}`);
    expect((await handler(request)).status).toBe(401);
    expect(request.bodyUsed).toBe(false);
  });

  it('that throws, rejects or hangs is a failure that the sender tries again, told once until it works', async () => {
    using warnings = recordWarnings();
    const failing: (() => boolean | Promise<boolean>)[] = [
      () => {
        throw new TypeError(MARKER);
      },
      async () => {
        throw new RangeError(MARKER);
      },
      () => deferred<boolean>().promise,
    ];
    let authorize = failing[0] as () => boolean | Promise<boolean>;
    const { store, handler } = stage({ authorize: () => authorize(), requestTimeoutMs: 30 });
    const status = async () => (await handler(delivery([gridSample]))).status;
    for (const next of failing) {
      authorize = next;
      expect([await status(), await status()]).toEqual([503, 503]);
    }
    expect(warnings.codes()).toEqual(Array(3).fill('LISTENER_FAILED'));
    expect(store.triggers).toEqual([]);
    authorize = () => true;
    expect(await status()).toBe(200);
    authorize = failing[0] as () => boolean;
    expect(await status()).toBe(503);
    expect(warnings.codes()).toHaveLength(4);
    expect(warnings.text()).not.toContain(MARKER);
  });

  it('does not have to be there for nothing: without it there is no endpoint', () => {
    const store = countingStore();
    for (const options of [undefined, {}, { authorize: true }, { authorize: null }]) {
      expect(() => eventGridHandler(store, options as never)).toThrow(
        expect.objectContaining({ code: 'OPTION_INVALID', what: 'eventGridHandler has no authorize' }),
      );
    }
  });
});

describe('options', () => {
  it.each([
    { options: { topic: [] }, code: 'OPTION_UNKNOWN' },
    { options: { topics: [] }, code: 'OPTION_INVALID' },
    { options: { topics: ['/'] }, code: 'OPTION_INVALID' },
    { options: { topics: '/subscriptions/1' }, code: 'OPTION_INVALID' },
    { options: { maxBodyBytes: 0 }, code: 'OPTION_INVALID' },
    { options: { requestTimeoutMs: '10s' }, code: 'OPTION_INVALID' },
    { options: { spreadMs: -1 }, code: 'OPTION_INVALID' },
    { options: { minIntervalMs: Number.NaN }, code: 'OPTION_INVALID' },
    { options: { onEvents: 'log' }, code: 'OPTION_INVALID' },
  ])('that cannot be used are $code: $options', ({ options, code }) => {
    const all = { authorize: () => true, ...options } as never;
    expect(() => eventGridHandler(countingStore(), all)).toThrow(expect.objectContaining({ code }));
  });
});

describe('a store that is closed', () => {
  it('answers with 503, before anybody is asked', async () => {
    const authorize = vi.fn(() => true);
    const { store, handler } = stage({ authorize });
    store.close();
    expect((await handler(delivery([gridSample]))).status).toBe(503);
    expect(authorize).not.toHaveBeenCalled();
  });

  it('also while a request is under way', async () => {
    const gate = deferred<boolean>();
    const { store, handler } = stage({ authorize: () => gate.promise });
    const answering = handler(delivery([gridSample]));
    store.close();
    gate.resolve(true);
    expect((await answering).status).toBe(503);
    expect(store.triggers).toEqual([]);
  });
});

describe('what authorize sees of a request', () => {
  it.each(['x/?', 'x/#', 'x/other?', '[', 'a b', '999.999.999.999', ''])(
    'is the path that was asked for, whatever the host is said to be: %s',
    async (host) => {
      const seen: string[] = [];
      const { handler } = stage({
        authorize: ({ url }) => {
          seen.push(url.pathname + url.search);
          return false;
        },
      });
      const response = { setHeader() {}, end() {} };
      const request = { method: 'POST', url: '/hooks?code=x', headers: { host }, complete: true };
      await handler.node(request as never, response as never);
      expect(seen).toEqual(['/hooks?code=x']);
    },
  );
});
