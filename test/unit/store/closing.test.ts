import { memory, SecretStore, type Source } from 'hot-secrets';
import { describe, expect, it, vi } from 'vitest';
import { deferred } from '../../support/deferred';
import { record } from '../../support/store-log';

const closedError = expect.objectContaining({ code: 'STORE_CLOSED' });

describe('a store that is closed during a refresh', () => {
  it('aborts and settles running refreshes at close, and reads no source again', async () => {
    const usual = memory({ user: 'u1' });
    const gate = deferred<void>();
    let reads = 0;
    let aborted = false;
    const source: Source = {
      ...usual,
      async read(request) {
        reads += 1;
        if (reads > 1) {
          request.signal.addEventListener('abort', () => {
            aborted = true;
            gate.resolve();
          });
          await gate.promise;
        }
        return usual.read(request);
      },
    };
    const store = await SecretStore.open({ secrets: { user: 'user' }, sources: [source] });
    const log = record(store);
    const snapshot = store.snapshot();
    usual.set({ user: 'u2' });
    const refreshes = [store.refresh(), store.refresh()];
    await expect.poll(() => reads).toBe(2);
    await store.close();
    await Promise.all(refreshes);
    expect([aborted, reads, log.changes, log.errors]).toEqual([true, 2, [], []]);
    expect([snapshot.reveal('user'), snapshot.generation]).toEqual(['u1', 1]);
    usual.set({ user: 'u3' });
    expect(reads).toBe(2);
  });

  it('closes each source once, even when one of them fails to close', async () => {
    const closed: string[] = [];
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const source = (name: string, close: () => void): Source => ({ ...memory({ user: 'u' }), name, close });
    const store = await SecretStore.open({
      secrets: { user: 'user' },
      sources: [
        source('a', () => {
          closed.push('a');
          throw new Error('marker-value');
        }),
        source('b', () => closed.push('b')),
      ],
    });
    await Promise.all([store.close(), store.close()]);
    await store[Symbol.asyncDispose]();
    expect(closed).toEqual(['a', 'b']);
    expect(warn).toHaveBeenCalledOnce();
    expect(String(warn.mock.calls[0])).not.toContain('marker-value');
    warn.mockRestore();
  });

  it('refuses reads, listeners and refreshes after close, but still masks text', async () => {
    const source = memory({ user: 'value-of-user' });
    const store = await SecretStore.open({ secrets: { user: 'user' }, sources: [source] });
    const heard = vi.fn();
    store.on('change', heard);
    await store.close();
    source.set({ user: 'another-value' });
    for (const use of [
      () => store.reveal('user'),
      () => store.revealWithPrevious('user'),
      () => store.get('user'),
      () => store.snapshot(),
      () => store.watch('user', heard),
      () => store.on('change', heard),
    ]) {
      expect(use).toThrow(closedError);
    }
    await expect(store.refresh()).rejects.toThrow(closedError);
    expect(heard).not.toHaveBeenCalled();
    expect(store.redact('a value-of-user b')).toBe('a [secret user] b');
    expect(store.health().generation).toBe(1);
  });
});

describe('a store that is closed by its own listener', () => {
  it('emits one close event and closes each source once when a close listener closes again', async () => {
    let events = 0;
    let closes = 0;
    const source: Source = {
      ...memory({ user: 'u' }),
      close() {
        closes += 1;
      },
    };
    const store = await SecretStore.open({ secrets: { user: 'user' }, sources: [source] });
    store.on('close', () => {
      events += 1;
      void store.close();
    });
    await store.close();
    expect([events, closes]).toEqual([1, 1]);
  });

  it('emits no further change after a change listener closes the store', async () => {
    const source = memory({ user: 'u1', extra: 'e1' });
    const store = await SecretStore.open({ secrets: { user: 'user', extra: 'extra' }, sources: [source] });
    const log = record(store);
    store.once('change', () => void store.close());
    source.set({ user: 'u2', extra: 'e2' });
    await store.refresh();
    source.set({ user: 'u3', extra: 'e3' });
    await new Promise((resolve) => setTimeout(resolve, 0));
    expect(log.changes).toHaveLength(1);
    await store.close();
  });
});

describe('a watch listener', () => {
  it('throws the error of a watch listener from its first call, and does not call it again', async () => {
    const source = memory({ user: 'u1' });
    await using store = await SecretStore.open({ secrets: { user: 'user' }, sources: [source] });
    const log = record(store);
    const listener = vi.fn(() => {
      throw new RangeError('own');
    });
    expect(() => store.watch('user', listener)).toThrow(RangeError);
    source.set({ user: 'u2' });
    await store.refresh();
    expect([listener.mock.calls.length, log.codes()]).toEqual([1, []]);
  });

  it('reports each rejection of an asynchronous watch listener, and keeps it subscribed', async () => {
    const source = memory({ user: 'u1' });
    await using store = await SecretStore.open({ secrets: { user: 'user' }, sources: [source] });
    const log = record(store);
    let calls = 0;
    store.watch('user', async () => {
      calls += 1;
      throw new Error('marker-value');
    });
    for (const user of ['u2', 'u3']) {
      source.set({ user });
      await store.refresh();
    }
    await expect.poll(log.codes).toEqual(Array(3).fill('LISTENER_FAILED'));
    expect(calls).toBe(3);
    expect(log.errors.map(({ message }) => message).join()).not.toContain('marker-value');
  });

  it('refuses a listener of an event that does not exist', async () => {
    await using store = await SecretStore.open({ sources: [memory({ user: 'u' })] });
    expect(() => store.on('changed' as 'change', () => {})).toThrow(
      expect.objectContaining({ code: 'OPTION_INVALID' }),
    );
  });
});
