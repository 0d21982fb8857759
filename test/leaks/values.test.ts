import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { console as inspected, Session } from 'node:inspector';
import { type AddressInfo, createServer } from 'node:net';
import { format, inspect } from 'node:util';
import { serialize } from 'node:v8';
import { isSecret, memory, SecretStore, secret } from 'hot-secrets';
import { createPool } from 'hot-secrets/pg';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { channelNames } from '../../src/observe/channels';

const FIRST = 'leak-marker-first';
const SECOND = 'leak-marker-second';
const BAD = 'leak-marker-bad';

/** Prints and copies a value in all the usual ways. */
function printed(value: unknown): string {
  const ways = [
    () => inspect(value, { showHidden: true, depth: 20, getters: true }),
    () => JSON.stringify(value),
    () => String(value),
    () => `${value as string}`,
    () => inspect(structuredClone(value), { depth: 20 }),
    () => serialize(value).toString('latin1'),
    () => inspect(Object.entries(value as object), { depth: 20 }),
  ];
  return ways
    .map((way) => {
      try {
        return way();
      } catch (error) {
        return inspect(error, { showHidden: true, depth: 20 });
      }
    })
    .join('\n');
}

/** Collects the messages of all channels until the test ends. */
function channelMessages(): unknown[] {
  const messages: unknown[] = [];
  const listener = (message: unknown) => messages.push(message);
  for (const name of channelNames) subscribe(name, listener);
  onTestFinished(() => {
    for (const name of channelNames) unsubscribe(name, listener);
  });
  return messages;
}

describe('the values of a store', () => {
  it('keeps values out of boxes, snapshots, stores, reports, events and channels', async () => {
    const messages = channelMessages();
    const source = memory({ one: FIRST, two: Buffer.from(FIRST), three: JSON.stringify({ key: FIRST }) });
    await using store = await SecretStore.open({
      secrets: {
        one: secret.text('one', { keepPreviousMs: 60_000 }),
        two: secret.bytes('two'),
        three: secret.json('three'),
      },
      sources: [source],
    });
    const events: unknown[] = [];
    store.on('change', (event) => events.push(event));
    store.on('error', (error) => events.push(error));
    store.on('recovered', (error) => events.push(error));
    source.set({ one: SECOND, two: Buffer.from(SECOND), three: JSON.stringify({ key: SECOND }) });
    await store.refresh();
    source.set({ three: BAD });
    await store.refresh();
    store.revealWithPrevious('one');
    expect(events.length).toBeGreaterThan(1);
    expect(messages.length).toBeGreaterThan(10);

    const boxes = (['one', 'two', 'three'] as const).map((name) => store.get(name));
    expect(boxes.every(isSecret)).toBe(true);
    const shown = [...boxes, store, store.snapshot(), store.report(), store.health(), events, messages]
      .map(printed)
      .join();
    for (const value of [FIRST, SECOND, BAD]) {
      expect(shown).not.toContain(value);
      expect(shown).not.toContain(Buffer.from(value).toString('hex'));
      expect(shown).not.toContain(
        Buffer.from(value)
          .toString('hex')
          .replace(/(..)(?!$)/g, '$1 '),
      );
    }
    expect(`${store.get('one')}`).toBe('[secret one]');
  });

  it('keeps values out of what an attached inspector shows of printed boxes, snapshots and stores', async () => {
    const source = memory({ one: FIRST, two: Buffer.from(FIRST), three: JSON.stringify({ key: FIRST }) });
    await using store = await SecretStore.open({
      secrets: {
        one: secret.text('one', { keepPreviousMs: 60_000 }),
        two: secret.bytes('two'),
        three: secret.json('three'),
      },
      sources: [source],
    });
    source.set({ one: SECOND });
    await store.refresh();
    const session = new Session();
    session.connect();
    onTestFinished(() => session.disconnect());
    const shown: string[] = [];
    session.on('inspectorNotification', (message) => shown.push(JSON.stringify(message)));
    session.post('Runtime.enable');
    const boxes = (['one', 'two', 'three'] as const).map((name) => store.get(name));
    for (const printed of [
      ...boxes,
      boxes,
      { box: boxes[0] },
      new Map([['box', boxes[0]]]),
      store,
      store.snapshot(),
      source,
    ]) {
      for (const print of [inspected.log, inspected.error, inspected.dir, inspected.table]) print(printed);
    }
    await vi.waitUntil(() => shown.length >= 36);
    expect(shown.join()).toContain('"name":"origin"');
    const bytes = [...Buffer.from(FIRST)].map((byte, index) =>
      JSON.stringify({ name: `${index}`, type: 'number', value: `${byte}` }),
    );
    for (const value of [FIRST, SECOND, bytes.slice(0, 6).join(',')])
      expect(shown.join()).not.toContain(value);
  });

  it('keeps the password of a pool and of its clients out of what %o and showHidden print', async () => {
    const source = memory({ password: FIRST });
    await using store = await SecretStore.open({ secrets: { password: 'password' }, sources: [source] });
    store.on('error', () => {});
    const server = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
    onTestFinished(() => void server.close());
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const pools = [
      createPool(store, (s) => ({ host: '127.0.0.1', port, user: 'app', password: s.reveal('password') })),
      createPool(store, (s) => ({
        connectionString: `postgres://app:${s.reveal('password')}@127.0.0.1:${port}/app`,
      })),
    ];
    for (const pool of pools) {
      const connecting = pool.connect().catch(() => {});
      const [client] = (pool as unknown as { _clients: object[] })._clients;
      expect(client).toHaveProperty('password', FIRST);
      expect(pool.options).toHaveProperty('password', FIRST);
      for (const printed of [pool, pool.options, client]) {
        expect(`${inspect(printed, { showHidden: true, depth: 20 })} ${format('%o', printed)}`).not.toContain(
          FIRST,
        );
      }
      await connecting;
      await pool.end();
    }
  });

  it('keeps values out of process warnings', async () => {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const source = memory({ one: JSON.stringify(FIRST) });
    await using store = await SecretStore.open({ secrets: { one: secret.json('one') }, sources: [source] });
    source.set({ one: BAD });
    await store.refresh();
    expect(warn).toHaveBeenCalledOnce();
    expect(inspect(warn.mock.calls, { depth: 20 })).not.toContain(BAD);
    warn.mockRestore();
    expect(store.reveal('one')).toBe(FIRST);
  });
});
