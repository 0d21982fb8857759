import { memory, rotating, SecretStore, secret } from 'hot-secrets';
import { querySecret, statusHandler } from 'hot-secrets/http';
import { expect, it } from 'vitest';
import { record } from '../support/store-log';

const MARKERS = ['leak-marker-first', 'leak-marker-second', 'leak-marker-third', 'leak-marker-bad'];

it('keeps values out of the status page, its JSON and its refusals', async () => {
  const [first, second, third, bad] = MARKERS as [string, string, string, string];
  const values = (value: string) => ({
    one: value,
    two: Buffer.from(value),
    three: JSON.stringify({ key: value }),
    code: value,
  });
  const source = memory(values(first));
  await using store = await SecretStore.open({
    secrets: {
      one: secret.text('one', { keepPreviousMs: 60_000 }),
      two: secret.bytes('two'),
      three: secret.json('three'),
      code: secret.text('code', { keepPreviousMs: 60_000 }),
    },
    sources: [source],
  });
  record(store);
  const handler = statusHandler(store, { authorize: querySecret(store, 'code') });
  await using resource = rotating(store, {
    build: (s) => s.reveal('one'),
    // The error of a client may repeat what the client received.
    verify: (value) => (value === third ? Promise.reject(new Error(`refused: ${value}`)) : undefined),
  });
  resource.on('rejected', () => {});
  await resource.ready;
  const shown: string[] = [];
  const show = async (code: string) => {
    for (const accept of ['text/html', 'application/json']) {
      const response = await handler(
        new Request(`https://shop.example/?code=${code}`, { headers: { accept } }),
      );
      shown.push(JSON.stringify([...response.headers]), await response.text());
    }
  };
  await show(first);
  for (const value of [second, third]) {
    source.set(values(value));
    await store.refresh();
    await show(value);
  }
  source.set({ three: `{"${bad}` });
  await store.refresh();
  await show(third);
  await show(bad);
  expect(shown.join()).toContain('VALUE_NOT_JSON');
  for (const marker of MARKERS) {
    expect(shown.join()).not.toContain(marker);
    expect(shown.join()).not.toContain(Buffer.from(marker).toString('base64').slice(0, 16));
    expect(shown.join()).not.toContain(Buffer.from(marker).toString('hex'));
  }
});
