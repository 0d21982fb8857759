import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { LoginLanes } from '../../../../src/adapters/pg/login-lanes';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function lanes() {
  const opened = vi.fn();
  const all = new LoginLanes(opened);
  const fill = () => {
    const logins = [];
    while (!all.full && logins.length < 50) logins.push(all.enter());
    return logins;
  };
  return { all, fill, opened };
}

describe('the lanes of logins', () => {
  it('starts with one lane, and opens one more with each successful login, up to eight', () => {
    const { fill } = lanes();
    const widths = [];
    for (let round = 0; round < 5; round += 1) {
      const logins = fill();
      widths.push(logins.length);
      for (const ended of logins) ended('accepted');
    }
    expect(widths).toEqual([1, 2, 4, 8, 8]);
  });

  it('closes all lanes but one after a refusal, and none after another failure', () => {
    const { fill } = lanes();
    for (let round = 0; round < 4; round += 1) for (const ended of fill()) ended('accepted');
    for (const ended of fill()) ended('failed');
    const logins = fill();
    expect(logins).toHaveLength(8);
    logins[0]?.('refused');
    for (const ended of logins.slice(1)) ended('failed');
    expect(fill()).toHaveLength(1);
  });

  it('closes all lanes but one after a second without logins', () => {
    const { fill } = lanes();
    for (let round = 0; round < 4; round += 1) for (const ended of fill()) ended('accepted');
    vi.advanceTimersByTime(900);
    const logins = fill();
    expect(logins).toHaveLength(8);
    for (const ended of logins) ended('accepted');
    vi.advanceTimersByTime(1100);
    expect(fill()).toHaveLength(1);
  });

  it('releases the lane of a slow login, and counts its end once', () => {
    const { all, fill, opened } = lanes();
    const [first] = fill();
    vi.advanceTimersByTime(1000);
    expect(opened).toHaveBeenCalledTimes(1);
    expect(fill()).toHaveLength(2);
    vi.advanceTimersByTime(1000);
    expect(opened).toHaveBeenCalledTimes(3);
    const third = fill();
    expect(third).toHaveLength(4);
    first?.('failed');
    first?.('failed');
    expect(all.full).toBe(true);
    for (const ended of third) ended('failed');
    expect(fill()).toHaveLength(4);
  });
});
