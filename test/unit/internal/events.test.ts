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

  it('hear no more once they are stopped, also within the event that is being told', () => {
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

  it('hear one event after `once`, also when that event causes another', () => {
    const events = new Events<{ tick: number }>(() => {});
    const heard: number[] = [];
    events.on('tick', (number) => {
      if (number === 1) events.emit('tick', 2);
    });
    events.once('tick', (number) => heard.push(number));
    events.emit('tick', 1);
    expect(heard).toEqual([2]);
  });

  it('share one signal by the dozen without a warning, and leave it when they stop', () => {
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

  it('are refused with what is wrong: no function, no such event, no signal', () => {
    const events = new Events<{ tick: number }>(() => {}, { of: 'a clock', events: ['tick'] });
    const invalid = expect.objectContaining({ code: 'OPTION_INVALID' });
    expect(() => events.on('tick', undefined as never)).toThrow(invalid);
    expect(() => events.on('tock' as 'tick', () => {})).toThrow('Did you mean "tick"?');
    expect(() => events.on('tick', () => {}, { signal: new AbortController() as never })).toThrow(invalid);
    expect(() => events.once('tick', () => {}, null as never)).toThrow(invalid);
    expect(events.has('tick')).toBe(false);
  });
});
