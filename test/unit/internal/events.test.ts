import { setImmediate } from 'node:timers/promises';
import { memory, SecretStore } from 'hot-secrets';
import { describe, expect, it, vi } from 'vitest';
import { Events } from '../../../src/internal/events';
import { record } from '../../support/store-log';

describe('listeners', () => {
  it('reports listeners that throw or reject, and calls the others', async () => {
    const failed = vi.fn();
    const heard = vi.fn();
    const events = new Events<{ tick: number }>(failed);
    const thrown = new Error('thrown');
    const rejected = new Error('rejected');
    events.on('tick', () => {
      throw thrown;
    });
    events.on('tick', async () => {
      throw rejected;
    });
    events.on('tick', heard);
    events.emit('tick', 1);
    await setImmediate();
    expect(failed.mock.calls).toEqual([
      ['tick', thrown],
      ['tick', rejected],
    ]);
    expect(heard).toHaveBeenCalledWith(1);
  });

  it('reports a listener that throws or rejects with an object that cannot be read, and calls the others', async () => {
    const hostile = () => {
      const { proxy, revoke } = Proxy.revocable(new Error('x'), {});
      revoke();
      return proxy;
    };
    const source = memory({ a: '1' });
    await using store = await SecretStore.open({ secrets: { a: 'a' }, sources: [source] });
    const log = record(store);
    store.on('change', () => {
      throw hostile();
    });
    store.on('change', () => Promise.reject(hostile()));
    const thenable = Object.defineProperty({}, 'then', {
      value: (_: unknown, reject: (error: unknown) => void) => reject(hostile()),
    });
    store.on('change', () => thenable as never);
    const heard = vi.fn();
    store.on('change', heard);
    for (const value of ['2', '3', '4']) {
      source.set({ a: value });
      await store.refresh();
    }
    await setImmediate();
    expect(heard).toHaveBeenCalledTimes(3);
    expect(log.codes()).toEqual(Array.from({ length: 9 }, () => 'LISTENER_FAILED'));
  });

  it('calls the other listeners when one unsubscribes during an event', () => {
    const events = new Events<{ tick: number }>(() => {});
    const heard: string[] = [];
    const leave = events.on('tick', () => {
      heard.push('first');
      leave();
    });
    events.on('tick', () => heard.push('second'));
    events.emit('tick', 1);
    events.emit('tick', 2);
    expect(heard).toEqual(['first', 'second', 'second']);
  });

  it('counts two registrations of the same function separately', () => {
    const events = new Events<{ tick: number }>(() => {});
    const listener = vi.fn();
    const stopFirst = events.on('tick', listener);
    events.on('tick', listener);
    stopFirst();
    stopFirst();
    events.emit('tick', 1);
    expect(listener).toHaveBeenCalledOnce();
    events.clear();
    expect(events.has('tick')).toBe(false);
  });

  it('does not call a listener that is stopped or aborted during the same event', () => {
    const events = new Events<{ tick: number }>(() => {});
    const heard: string[] = [];
    const controller = new AbortController();
    events.on('tick', () => {
      stop();
      controller.abort();
    });
    const stop = events.on('tick', () => heard.push('stopped'));
    events.on('tick', () => heard.push('aborted'), { signal: controller.signal });
    events.emit('tick', 1);
    expect(heard).toEqual([]);
  });

  it('calls a `once` listener for one event, even when another listener emits the next', () => {
    const events = new Events<{ tick: number }>(() => {});
    const heard: number[] = [];
    events.on('tick', (number) => {
      if (number === 1) events.emit('tick', 2);
    });
    events.once('tick', (number) => heard.push(number));
    events.emit('tick', 1);
    expect(heard).toEqual([2]);
  });

  it('adds one abort listener to a signal that twenty listeners share', () => {
    const events = new Events<{ tick: number }>(() => {});
    const controller = new AbortController();
    const add = vi.spyOn(controller.signal, 'addEventListener');
    const heard = vi.fn();
    const stops = Array.from({ length: 20 }, () => events.on('tick', heard, { signal: controller.signal }));
    expect(add).toHaveBeenCalledOnce();
    for (const stop of stops.slice(1)) stop();
    events.emit('tick', 1);
    controller.abort();
    events.emit('tick', 2);
    expect(heard).toHaveBeenCalledOnce();
  });

  it('refuses what is not a function, an event or a signal', () => {
    const events = new Events<{ tick: number }>(() => {}, { of: 'a clock', events: ['tick'] });
    const invalid = expect.objectContaining({ code: 'OPTION_INVALID' });
    expect(() => events.on('tick', undefined as never)).toThrow(invalid);
    expect(() => events.on('tock' as 'tick', () => {})).toThrow('Did you mean "tick"?');
    expect(() => events.on('tick', () => {}, { signal: new AbortController() as never })).toThrow(invalid);
    expect(() => events.once('tick', () => {}, null as never)).toThrow(invalid);
    expect(events.has('tick')).toBe(false);
  });
});
