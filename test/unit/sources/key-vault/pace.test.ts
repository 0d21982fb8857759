import { describe, expect, it } from 'vitest';
import { PACE_DEFAULTS, Pace } from '../../../../src/sources/key-vault/pace';

const INTERVAL = 900_000;
/** `at` replaces the random number: 0 gives the minimum, 1 the maximum. */
const pace = (at: number) => new Pace({ ...PACE_DEFAULTS, random: () => at });
const times = (count: number, step: () => number) => Array.from({ length: count }, step);

describe('the next refresh', () => {
  it('schedules the second refresh at random within the interval', () => {
    expect([0, 0.25, 1].map((at) => pace(at).afterStart())).toEqual([0, INTERVAL / 4, INTERVAL]);
  });

  it('schedules a refresh one interval after a success, plus or minus ten percent', () => {
    expect([0, 0.5, 1].map((at) => pace(at).afterSuccess())).toEqual([
      0.9 * INTERVAL,
      INTERVAL,
      expect.closeTo(1.1 * INTERVAL, 0),
    ]);
  });

  it('retries after failures with full jitter over 1, 2, 4, 8 and 16 s, which a success resets', () => {
    const most = pace(1);
    expect(times(7, () => most.afterFailure(0))).toEqual([
      1_000, 2_000, 4_000, 8_000, 16_000, 16_000, 16_000,
    ]);
    most.afterSuccess();
    expect(most.afterFailure(0)).toBe(1_000);
    const least = pace(0);
    expect(times(7, () => least.afterFailure(0))).toEqual([0, 0, 0, 0, 0, 0, 0]);
  });

  it('retries after a failure no later than without one', () => {
    const often = new Pace({ ...PACE_DEFAULTS, refreshIntervalMs: 2_000, random: () => 1 });
    expect(Math.max(...times(10, () => often.afterFailure(0)))).toBeLessThanOrEqual(2_200);
  });

  it('retries after a refusal within about a minute, or within a shorter interval', () => {
    expect([0, 0.5, 1].map((at) => pace(at).afterRefusal())).toEqual([30_000, 60_000, 90_000]);
    const often = new Pace({ ...PACE_DEFAULTS, refreshIntervalMs: 2_000, random: () => 0.5 });
    expect(often.afterRefusal()).toBe(2_000);
  });
});

describe('a vault that gets too many requests', () => {
  it('pauses for as long as a throttling vault asks, up to a minute, plus jitter', () => {
    for (const [asked, least] of [
      [undefined, 0],
      [7_000, 7_000],
      [3_600_000, 60_000],
    ] as const) {
      const [soonest, latest] = [pace(0), pace(1)];
      soonest.throttled(1_000, asked);
      latest.throttled(1_000, asked);
      expect(soonest.pausedUntil).toBe(1_000 + least);
      expect(latest.pausedUntil).toBeGreaterThan(1_000 + least);
      expect(latest.pausedUntil).toBeLessThanOrEqual(1_000 + least + 2_000);
    }
  });

  it('retries a throttling vault only when its pause is over', () => {
    const one = pace(0.5);
    one.throttled(0, 30_000);
    expect(one.afterFailure(0)).toBe(one.pausedUntil);
    expect(one.afterFailure(10_000)).toBe(one.pausedUntil - 10_000);
  });

  it('counts the throttled requests of one refresh once', () => {
    const [one, many] = [pace(1), pace(1)];
    one.throttled(0);
    for (let answer = 0; answer < 8; answer += 1) many.throttled(answer);
    expect([many.pausedUntil, many.stretch]).toEqual([one.pausedUntil, one.stretch]);
    many.throttled(8, 50_000);
    expect(many.pausedUntil).toBe(50_008);
  });

  it('lengthens the pauses while throttling continues, and stretches the interval until a success', () => {
    const one = pace(0.5);
    const pauses = times(4, () => {
      const now = one.pausedUntil;
      one.throttled(now);
      return one.pausedUntil - now;
    });
    expect([...pauses].sort((a, b) => a - b)).toEqual(pauses);
    expect(one.stretch).toBeGreaterThan(1);
    one.afterSuccess();
    expect(one.stretch).toBe(1);
  });
});
