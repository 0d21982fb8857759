import { memory, SecretStore, secret } from 'hot-secrets';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';

describe('redact', () => {
  it('masks the longer of two values that begin alike, and values with regular expression syntax', async () => {
    const source = memory({ short: 'prefix', long: 'prefix-and-more', odd: 'a.*+?^$()|[]\\b' });
    await using store = await SecretStore.open({
      secrets: { short: 'short', long: 'long', odd: 'odd' },
      sources: [source],
    });
    expect(store.redact('x prefix-and-more prefix y')).toBe('x [secret long] [secret short] y');
    expect(store.redact('x a.*+?^$()|[]\\b y aXXb')).toBe('x [secret odd] y aXXb');
  });

  it('masks every value inside a JSON secret, and bytes in each usual encoding', async () => {
    const raw = Uint8Array.of(251, 255, 190, 7, 8, 9, 10);
    const config = {
      user: 'the-user',
      nested: [{ password: 'line\nbreak"quote' }],
      port: 5432,
      pin: 12345678,
    };
    await using store = await SecretStore.open({
      secrets: { config: secret.json('config'), raw: secret.bytes('raw') },
      sources: [memory({ config: JSON.stringify(config), raw })],
    });
    const line = JSON.stringify(config);
    expect(store.redact(line)).toBe(
      '{"user":"[secret config]","nested":[{"password":"[secret config]"}],"port":5432,"pin":"[secret config]"}',
    );
    const bytes = Buffer.from(raw);
    for (const encoding of ['base64', 'base64url', 'hex'] as const) {
      expect(store.redact(`<${bytes.toString(encoding)}>`)).toBe('<[secret raw]>');
    }
  });

  it('masks earlier values after each rotation', async () => {
    const source = memory({ token: 'token-value-0' });
    await using store = await SecretStore.open({ secrets: { token: 'token' }, sources: [source] });
    for (let round = 1; round <= 4; round += 1) {
      source.set({ token: `token-value-${round}` });
      await store.refresh();
      for (let old = 0; old <= round; old += 1) {
        expect(store.redact(`token-value-${old}`)).toBe('[secret token]');
      }
    }
  });

  it('leaves text without a value unchanged, and a value that is too short to be masked', async () => {
    await using store = await SecretStore.open({
      secrets: { pin: 'pin', beta: secret.text('beta').optional() },
      sources: [memory({ pin: '12345' })],
    });
    expect(store.redact('12345 is too short to be masked')).toBe('12345 is too short to be masked');
  });

  it('keeps JSON valid in a list that begins with a number, and after a line with a stray quote', async () => {
    await using store = await SecretStore.open({
      secrets: { pin: secret.json('pin') },
      sources: [memory({ pin: '12345678' })],
    });
    for (const line of ['[12345678,1]', '[1,12345678]', '[[12345678]]']) {
      const masked = store.redact(line);
      expect(masked).not.toContain('12345678');
      expect(() => JSON.parse(masked)).not.toThrow();
    }
    const lines = store.redact('{"a": "5"}\nplain 5" text\n{"pin":12345678,"b":1}').split('\n');
    expect(JSON.parse(lines[2] as string)).toEqual({ pin: '[secret pin]', b: 1 });
  });

  it('masks the content of a URL, a Map or a Set that a schema returned', async () => {
    const shaped = z
      .object({ dsn: z.string(), map: z.record(z.string(), z.string()), set: z.array(z.string()) })
      .transform(({ dsn, map, set }) => ({
        dsn: new URL(dsn),
        map: new Map(Object.entries(map)),
        set: new Set(set),
      }));
    const given = { dsn: 'postgres://app:of%2Fdsn-1@db/x', map: { key: 'of-map-1' }, set: ['of-set-1'] };
    await using store = await SecretStore.open({
      secrets: { shaped: secret.json('shaped', shaped) },
      sources: [memory({ shaped: JSON.stringify(given) })],
    });
    const masked = store.redact(`${given.dsn} of/dsn-1 of-map-1 of-set-1`);
    expect(masked).not.toMatch(/dsn-1|map-1|set-1/);
  });

  it('leaves what is not secret readable: a definition with redact: false, and other keys of a JSON secret', async () => {
    const db = {
      engine: 'postgres',
      username: 'orders',
      primary: { password: 'x9f8a7s6d5' },
      region: 'westeurope',
    };
    const source = memory({
      user: 'service',
      id: 'client-id-of-app',
      db: JSON.stringify(db),
      all: '{"a":"westindia"}',
    });
    await using store = await SecretStore.open({
      secrets: {
        user: secret.text('user', { redact: false }),
        id: secret.bytes('id', { redact: false }),
        db: secret.json('db', undefined, { redact: ['password', 'token'] }),
        all: secret.json('all', undefined, { redact: false }),
      },
      sources: [source],
    });
    const line =
      '{"service":"orders-api","msg":"postgres of orders in westeurope and westindia: client-id-of-app, service"}';
    expect(store.redact(line)).toBe(line);
    for (let round = 0; round < 4; round += 1) {
      expect(store.redact(`{"password":"x9f8a7s6d5-${round}"}`)).toBe(`{"password":"[secret db]-${round}"}`);
    }
  });

  it('masks all of a JSON secret that has none of the keys to mask', async () => {
    await using store = await SecretStore.open({
      secrets: { db: secret.json('db', undefined, { redact: ['pasword'] }) },
      sources: [memory({ db: '{"password":"x9f8a7s6d5"}' })],
    });
    expect(store.redact('x9f8a7s6d5')).toBe('[secret db]');
  });

  it.each([
    () => secret.text('a', { redact: 'no' as never }),
    () => secret.bytes('a', { redact: ['key'] as never }),
    () => secret.json('a', undefined, { redact: [] }),
    () => secret.json('a', undefined, { redact: [1] as never }),
  ])('refuses an option redact that selects nothing or has another type: %s', (define) => {
    expect(define).toThrow(expect.objectContaining({ code: 'OPTION_INVALID' }));
  });
});
