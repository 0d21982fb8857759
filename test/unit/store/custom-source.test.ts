import { inspect } from 'node:util';
import { memory, type Reading, SecretStore, type Source, secret } from 'hot-secrets';
import { describe, expect, it } from 'vitest';
import { record } from '../../support/store-log';
import { waitFor } from '../../support/wait-for';

const MARKER = 'marker-value-of-a-source';
const bytes = new TextEncoder().encode('value');

function sourceOf(overrides: Partial<Source>): Source {
  return {
    name: 'custom',
    location: '',
    async read({ lookups }) {
      const found = { status: 'found', bytes: bytes.slice(), origin: 'here' } as const;
      return {
        unchanged: false,
        readings: new Map(lookups.map(({ name }) => [name, found])),
        revision: undefined,
      };
    },
    inventory: async () => [],
    ...overrides,
  };
}

const open = (source: Source) => SecretStore.open({ secrets: { token: 'token' }, sources: [source] });

const answering = (reading: unknown) =>
  sourceOf({
    read: async ({ lookups }) => ({
      unchanged: false,
      readings: new Map(lookups.map(({ name }) => [name, reading as Reading])),
      revision: undefined,
    }),
  });

function foreign(): Error {
  return Object.assign(new TypeError(`cannot parse ${MARKER}`), { detail: MARKER, cause: MARKER });
}

describe('a custom source', () => {
  it.each<[string, Source]>([
    ['rejects with a foreign error', sourceOf({ read: () => Promise.reject(foreign()) })],
    [
      'throws a foreign error',
      sourceOf({
        read() {
          throw foreign();
        },
      }),
    ],
    ['rejects with a value that is not an error', sourceOf({ read: () => Promise.reject(MARKER) })],
    ['fails to open', sourceOf({ open: () => Promise.reject(foreign()) })],
    ['returns undefined', sourceOf({ read: async () => undefined as never })],
    ['returns text for bytes', answering({ status: 'found', bytes: MARKER, origin: 'here' })],
    ['reports a failure with a foreign error', answering({ status: 'failed', error: foreign() })],
  ])('names a source that %s, and repeats nothing of its message', async (_, source) => {
    const error = await open(source).then(String, (reason) => reason);
    expect(error).toMatchObject({ code: 'SOURCE_FAILED', source: 'custom' });
    expect(error.message).toContain('the source custom');
    expect(inspect(error, { showHidden: true, depth: 10 })).not.toContain(MARKER);
  });

  it('reads a source whose watch throws', async () => {
    const source = sourceOf({
      watch() {
        throw foreign();
      },
    });
    await using store = await open(source);
    expect(store.reveal('token')).toBe('value');
    expect(store.report().sources[0]?.problems.map(({ code }) => code)).toEqual(['SOURCE_FAILED']);
  });

  it('names the missing secret when its source cannot list its names', async () => {
    const source = sourceOf({
      read: async ({ lookups }) => ({
        unchanged: false,
        readings: new Map(
          lookups.map(({ name }) => [name, { status: 'missing', looked: `slot ${name}` } as const]),
        ),
        revision: undefined,
      }),
      inventory() {
        throw foreign();
      },
    });
    const error = await open(source).then(String, (reason) => reason);
    expect(error).toMatchObject({ code: 'SECRET_MISSING', secret: 'token' });
    expect(error.message).toContain('custom has no slot token (it lists no names)');
  });

  it('rejects open and aborts the signal when a source does not answer within refreshTimeoutMs', async () => {
    let signal: AbortSignal | undefined;
    const source = sourceOf({
      read(request) {
        signal = request.signal;
        return new Promise(() => {});
      },
    });
    const opening = SecretStore.open({
      secrets: { token: 'token' },
      sources: [source],
      refreshTimeoutMs: 30,
    });
    await expect(opening).rejects.toMatchObject({ code: 'SOURCE_FAILED' });
    expect(signal?.aborted).toBe(true);
  });

  it('reads a source once at a time, and reports recovery after its late answer', async () => {
    let reads = 0;
    let release: (() => void) | undefined;
    let hang = false;
    const usual = sourceOf({});
    const source = sourceOf({
      async read(request) {
        reads += 1;
        if (hang) await new Promise<void>((resolve) => (release = resolve));
        return usual.read(request);
      },
    });
    await using store = await SecretStore.open({
      secrets: { token: 'token' },
      sources: [source],
      refreshTimeoutMs: 20,
    });
    const log = record(store);
    hang = true;
    await store.refresh();
    await store.refresh();
    expect(reads).toBe(2);
    expect(log.errors.map(({ message }) => message)).toEqual([
      expect.stringContaining('did not answer within 20 ms'),
      expect.stringContaining('has not finished its previous read'),
    ]);
    hang = false;
    release?.();
    await waitFor(async () => {
      await store.refresh();
      return log.recovered.length === 2;
    });
    expect(store.reveal('token')).toBe('value');
  });

  it('wipes the bytes of a source once they are decoded', async () => {
    const handedOver: Uint8Array[] = [];
    const usual = sourceOf({});
    const source = sourceOf({
      async read(request) {
        const result = await usual.read(request);
        for (const reading of result.readings.values()) {
          if (reading.status === 'found') handedOver.push(reading.bytes);
        }
        return result;
      },
    });
    await using store = await SecretStore.open({
      secrets: { token: secret.bytes('token') },
      sources: [source],
    });
    expect(handedOver).toEqual([new Uint8Array(5)]);
    expect(Buffer.from(store.reveal('token')).toString()).toBe('value');
  });
});

describe('a schema that never answers', () => {
  it('refuses a value whose schema does not answer in time, and accepts it at the next refresh', async () => {
    let hang = false;
    const schema = {
      '~standard': {
        version: 1,
        vendor: 'test',
        validate: (value: unknown) =>
          hang ? new Promise<{ value: unknown }>(() => {}) : Promise.resolve({ value }),
      },
    } as const;
    const source = memory({ config: '1' });
    await using store = await SecretStore.open({
      secrets: { config: secret.json('config', schema) },
      sources: [source],
      refreshTimeoutMs: 30,
    });
    const log = record(store);
    hang = true;
    source.set({ config: '2' });
    await store.refresh();
    expect([log.codes(), store.reveal('config')]).toEqual([['VALUE_REFUSED'], 1]);
    hang = false;
    await store.refresh();
    expect([log.recovered.length, store.reveal('config')]).toEqual([1, 2]);
  });
});
