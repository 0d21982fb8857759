import { setImmediate } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import { Events } from '../../../src/internal/events';

describe('listeners', () => {
  it('fail without affecting others, whether they throw or reject', async () => {
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

  it('may unsubscribe during an event, and the others still hear it', () => {
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

  it('are counted separately, even if the same function listens twice', () => {
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
});
