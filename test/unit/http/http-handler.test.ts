import type { SecretStore } from 'hot-secrets';
import {
  eventGridHandler,
  healthCheck,
  healthHandler,
  healthIndicator,
  reloadHandler,
  statusHandler,
} from 'hot-secrets/http';
import { describe, expect, it, vi } from 'vitest';
import { deferred } from '../../support/deferred';
import { delivery, gridSample } from '../../support/event-grid';
import { countingStore, fakeClock, recordWarnings } from '../../support/http-stage';

const MARKER = 'marker-value';

function stage(options: Partial<Parameters<typeof eventGridHandler>[1]> = {}) {
  const store = countingStore();
  return { store, handler: eventGridHandler(store, { authorize: () => true, ...options }) };
}

/** A store with everything that the endpoints need. */
const fullStore = () => {
  const members = { name: 'shop', generation: 1, on: () => () => {}, health: () => ({}), report: () => ({}) };
  return Object.assign(countingStore(), members) as unknown as SecretStore<unknown>;
};

/** A request whose body arrives in parts, then ends or stays open. */
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

describe('an endpoint that receives an unusable request', () => {
  it.each<readonly [status: number, title: string, request: () => Request]>([
    [400, 'a body that is not JSON', () => delivery(`{"${MARKER}`)],
    [400, 'an empty body', () => delivery('')],
    [400, 'a body that is not an event', () => delivery(`"${MARKER}"`)],
    [400, 'a body of null', () => delivery('null')],
    [
      400,
      'a body that is not UTF-8',
      () =>
        new Request('https://shop.example/', {
          method: 'POST',
          body: Buffer.concat([Buffer.from('["'), Uint8Array.of(0xff), Buffer.from('"]')]),
        }),
    ],
    [415, 'a content type other than JSON', () => delivery([gridSample], { contentType: 'text/plain' })],
    [413, 'a body of too many bytes', () => delivery(JSON.stringify([gridSample, 'x'.repeat(2_000)]))],
    [413, 'a body of too many bytes in parts', () => streamed(['[', ' '.repeat(3_000)], false)],
  ])('responds with %d to %s', async (status, _title, request) => {
    const { store, handler } = stage({ maxBodyBytes: 2_000 });
    const response = await handler(request());
    const text = await response.text();
    expect([response.status, Object.keys(JSON.parse(text))]).toEqual([status, ['error']]);
    expect(text).not.toMatch(new RegExp(`${MARKER}|newsecret`));
    expect(store.triggers).toEqual([]);
  });

  it('accepts a body in parts', async () => {
    const { handler } = stage();
    const text = JSON.stringify([gridSample]);
    const response = await handler(streamed([text.slice(0, 7), text.slice(7, 70), text.slice(70)], true));
    expect([response.status, await response.json()]).toEqual([200, { accepted: 1, ignored: 0 }]);
  });

  it('responds with 408 when a body takes too long, and stops reading it', async () => {
    const { handler } = stage({ requestTimeoutMs: 30 });
    const request = streamed(['[{'], false);
    expect((await handler(request)).status).toBe(408);
    await expect.poll(() => request).toMatchObject({ state: { cancelled: true } });
  });

  it('responds with 500 when the body was read before, and warns once', async () => {
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
    'responds with 405 and the allowed methods to %s',
    async (method) => {
      const { handler } = stage({
        authorize: () => {
          throw new Error('not called');
        },
      });
      const response = await handler(new Request('https://shop.example/hooks', { method }));
      expect([response.status, response.headers.get('allow')]).toEqual([405, 'POST, OPTIONS']);
    },
  );
});

describe('an authorizer', () => {
  it.each([undefined, null, 0, 1, 'true', {}])(
    'refuses a request when its authorizer returns %o instead of true',
    async (verdict) => {
      const { store, handler } = stage({ authorize: () => verdict as unknown as boolean });
      expect((await handler(delivery([gridSample]))).status).toBe(401);
      expect(store.triggers).toEqual([]);
    },
  );

  it('calls the authorizer before it reads the body', async () => {
    const { handler } = stage({ authorize: async () => false });
    const request = delivery(`{"${MARKER}`);
    expect((await handler(request)).status).toBe(401);
    expect(request.bodyUsed).toBe(false);
  });

  it('responds with 503 and warns once while an authorizer throws, rejects or hangs', async () => {
    using warnings = recordWarnings();
    const clock = fakeClock();
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
    // A failure is told again once the authorizer has worked for a minute.
    for (const [afterMs, told] of [
      [0, 3],
      [61_000, 4],
    ] as const) {
      clock.advance(afterMs);
      authorize = () => true;
      expect(await status()).toBe(200);
      authorize = failing[0] as () => boolean;
      expect(await status()).toBe(503);
      expect(warnings.codes()).toHaveLength(told);
    }
    expect(warnings.text()).not.toContain(MARKER);
  });
});

const endpoints = {
  eventGridHandler,
  reloadHandler,
  statusHandler,
  healthHandler,
  healthCheck,
  healthIndicator,
};
type Create = (store: unknown, options?: unknown) => unknown;

describe.each(Object.entries(endpoints) as [string, Create][])('%s at start-up', (name, create) => {
  const refused = (what: string) =>
    expect.objectContaining({
      code: 'OPTION_INVALID',
      what: expect.stringMatching(what),
      next: expect.any(String),
    });

  it.each([
    ['nothing', undefined],
    ['null', null],
    ['a recipe', () => ({})],
    ['a promise', Promise.resolve({})],
    ['another object', { authorize: () => true }],
  ])(`refuses ${name} with %s in place of a store`, (_title, store) => {
    expect(() => create(store, { authorize: () => true })).toThrow(
      refused(`^${name}: the store must be an open SecretStore`),
    );
  });

  it.each([
    ['null', null],
    ['a string', 'Basic'],
    ['an array', []],
  ])(`refuses ${name} with %s in place of options`, (_title, options) => {
    const store = fullStore();
    const call = name === 'healthIndicator' ? () => healthIndicator(store, 'key', options as never) : create;
    expect(() => call(store, options)).toThrow(refused(`^the options of ${name} must be an object`));
  });
});

describe.each(Object.entries({ eventGridHandler, reloadHandler, statusHandler }) as [string, Create][])(
  '%s at start-up',
  (name, create) => {
    it.each([undefined, {}, { authorize: undefined }])(
      `refuses ${name} without an authorizer: %j`,
      (options) => {
        expect(() => create(fullStore(), options)).toThrow(
          expect.objectContaining({
            code: 'OPTION_INVALID',
            what: `${name} needs \`authorize\``,
            next: expect.stringContaining('basicAuth(…)'),
          }),
        );
      },
    );

    it.each([true, null, 'first-code', {}])(
      `refuses ${name} with %j in place of an authorizer`,
      (authorize) => {
        expect(() => create(fullStore(), { authorize })).toThrow(
          expect.objectContaining({
            code: 'OPTION_INVALID',
            what: expect.stringContaining(`${name}: \`authorize\` must be a function`),
          }),
        );
      },
    );
  },
);

describe('eventGridHandler', () => {
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
  ])('refuses eventGridHandler with the options $options', ({ options, code }) => {
    const all = { authorize: () => true, ...options } as never;
    expect(() => eventGridHandler(countingStore(), all)).toThrow(expect.objectContaining({ code }));
  });
});

describe('an endpoint of a closed store', () => {
  it('responds with 503 once the store is closed, without calling the authorizer', async () => {
    const authorize = vi.fn(() => true);
    const { store, handler } = stage({ authorize });
    store.close();
    expect((await handler(delivery([gridSample]))).status).toBe(503);
    expect(authorize).not.toHaveBeenCalled();
  });

  it('responds with 503 when the store closes during a request', async () => {
    const gate = deferred<boolean>();
    const { store, handler } = stage({ authorize: () => gate.promise });
    const answering = handler(delivery([gridSample]));
    store.close();
    gate.resolve(true);
    expect((await answering).status).toBe(503);
    expect(store.triggers).toEqual([]);
  });
});

describe('the URL that an authorizer sees', () => {
  it.each(['x/?', 'x/#', 'x/other?', '[', 'a b', '999.999.999.999', ''])(
    'passes the path of the request to the authorizer with the Host header "%s"',
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
