import { hasSubscribers } from 'node:diagnostics_channel';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { callerOutside } from '../../../src/observe/caller';
import { channelNames, publish, subscribe } from '../../../src/observe/channels';

const closed = (storeId: string) => ({ store: 'shop', storeId, generation: 1 });

describe('a channel', () => {
  it('builds no message for a channel without a subscriber', () => {
    for (const name of channelNames) {
      const message = vi.fn();
      expect(hasSubscribers(name)).toBe(false);
      publish(name, message);
      expect(message).not.toHaveBeenCalled();
    }
  });

  it('delivers messages to subscribers of one store or of all stores until they unsubscribe', () => {
    const heard: string[] = [];
    const note = (who: string) => ({
      'hot-secrets:store:close': ({ storeId }: { storeId: string }) => void heard.push(`${who} ${storeId}`),
    });
    const stops = [subscribe(note('all')), subscribe(note('one'), 'a')];
    for (const stop of stops) onTestFinished(stop);
    for (const id of ['a', 'b']) publish('hot-secrets:store:close', () => closed(id));
    expect(heard).toEqual(['all a', 'one a', 'all b']);
    for (const stop of [...stops, ...stops]) stop();
    const message = vi.fn();
    publish('hot-secrets:store:close', message);
    expect(message).not.toHaveBeenCalled();
  });

  it('ends two subscriptions of one listener separately', () => {
    const listener = vi.fn();
    const stops = [1, 2].map(() => subscribe({ 'hot-secrets:store:close': listener }));
    for (const stop of stops) onTestFinished(stop);
    stops[0]?.();
    publish('hot-secrets:store:close', () => closed('a'));
    expect(listener).toHaveBeenCalledOnce();
  });
});

describe('callerOutside', () => {
  it.each([
    ['    at read (/srv/app (old)/(shop)/page.js:3:7)', '/srv/app (old)/(shop)/page.js:3:7'],
    ['    at /srv/My App (2)/index.js:3:7', '/srv/My App (2)/index.js:3:7'],
    ['    at async file:///srv/app/a%20b.mjs:3:7', '/srv/app/a b.mjs:3:7'],
    ['    at Pool.read [as get] (file:///srv/app/read.mjs?v=2:3:7)', '/srv/app/read.mjs:3:7'],
    ['    at read (webpack-internal:///(rsc)/./page.js:3:7)', 'webpack-internal:///(rsc)/./page.js:3:7'],
  ])('finds the caller in the frame "%s", and ignores frames of Node', (frame, place) => {
    const { prepareStackTrace } = Error;
    onTestFinished(() => {
      Error.prepareStackTrace = prepareStackTrace;
    });
    const nodes = [
      '    at Promise.all (index 0)',
      '    at node:internal/timers:1:2',
      '    at new Map (<anonymous>)',
    ];
    Error.prepareStackTrace = () => ['Error', ...nodes, frame].join('\n');
    const asked = () => callerOutside(asked);
    expect(asked()).toBe(place);
    Error.prepareStackTrace = () => undefined;
    expect(asked()).toBeUndefined();
  });
});
