import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type LaneLimits, LoginLanes } from '../../../../src/adapters/pools/login-lanes';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function lanes(limits?: LaneLimits) {
  const opened = vi.fn();
  const all = new LoginLanes(opened, limits);
  const fill = () => {
    const logins = [];
    while (!all.full && logins.length < 50) logins.push(all.enter());
    return logins;
  };
  return { all, fill, opened };
}

describe('the lanes of logins', () => {
  it.each(['accepted', 'failed'] as const)(
    'sends the first login alone, and all others once it is %s',
    (outcome) => {
      const { fill } = lanes();
      const [first, ...others] = fill();
      expect(others).toEqual([]);
      first?.(outcome);
      expect(fill()).toHaveLength(50);
    },
  );

  it('sends one login at a time after a refusal', () => {
    const { all, fill } = lanes();
    all.open();
    for (const ended of fill()) ended('refused');
    const [next, ...others] = fill();
    expect(others).toEqual([]);
    next?.('refused');
    expect(fill()).toHaveLength(1);
  });

  it('does not count a login that takes longer than a second, or its end', () => {
    const { all, fill, opened } = lanes();
    const [first] = fill();
    vi.advanceTimersByTime(1000);
    expect(opened).toHaveBeenCalledTimes(1);
    expect(fill()).toHaveLength(2);
    first?.('refused');
    first?.('refused');
    expect(all.full).toBe(true);
  });

  it('sends a login alone again when the last answer is too old, and then all others', () => {
    const { fill } = lanes({ validMs: 1000 });
    fill()[0]?.('accepted');
    expect(fill()).toHaveLength(50);
    const fresh = lanes({ validMs: 1000 });
    fresh.all.open();
    vi.advanceTimersByTime(1001);
    const [next, ...others] = fresh.fill();
    expect(others).toEqual([]);
    next?.('accepted');
    expect(fresh.fill()).toHaveLength(50);
  });

  it('sends a login alone again after a doubt, besides those that run, and then all others', () => {
    const { all, fill } = lanes({ validMs: 1000 });
    all.open();
    all.doubt();
    const [next, ...others] = fill();
    expect(others).toEqual([]);
    next?.('accepted');
    const running = [all.enter(), all.enter()];
    all.doubt();
    expect(all.full).toBe(true);
    running[0]?.('accepted');
    expect(fill()).toHaveLength(50);
    all.doubt();
    expect(all.full).toBe(true);
  });

  it('lets at most the given number of logins follow the first, whatever it was answered', () => {
    const { all, fill } = lanes({ most: 2 });
    fill()[0]?.('accepted');
    const both = fill();
    expect(both).toHaveLength(2);
    both[0]?.('failed');
    expect(fill()).toHaveLength(1);
    both[1]?.('refused');
    expect(all.full).toBe(true);
  });
});
