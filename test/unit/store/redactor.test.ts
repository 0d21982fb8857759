import { memory, SecretStore, secret } from 'hot-secrets';
import { describe, expect, it } from 'vitest';

describe('redacted text', () => {
  it('masks the longer of two values that begin alike, and regular expression signs are only signs', async () => {
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

  it('masks what was served before, after every rotation', async () => {
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

  it('is the same text where there is nothing to mask', async () => {
    await using store = await SecretStore.open({
      secrets: { pin: 'pin', beta: secret.text('beta').optional() },
      sources: [memory({ pin: '12345' })],
    });
    expect(store.redact('12345 is too short to be masked')).toBe('12345 is too short to be masked');
  });
});
