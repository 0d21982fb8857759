import { describe, expect, it } from 'vitest';
import { PACE_DEFAULTS, Pace } from '../../../../src/sources/key-vault/pace';

const INTERVAL = 900_000;
/** `at` is what stands for chance: 0 is the least, 1 the most. */
const pace = (at: number) => new Pace({ ...PACE_DEFAULTS, random: () => at });
const times = (count: number, step: () => number) => Array.from({ length: count }, step);

describe('the next look', () => {
  it('comes after the first one anywhere within the interval', () => {
    expect([0, 0.25, 1].map((at) => pace(at).first())).toEqual([0, INTERVAL / 4, INTERVAL]);
  });

  it('comes after a good one when the interval is over, give or take a tenth', () => {
    expect([0, 0.5, 1].map((at) => pace(at).succeeded())).toEqual([
      0.9 * INTERVAL,
      INTERVAL,
      expect.closeTo(1.1 * INTERVAL, 0),
    ]);
  });

  it('comes after failures with full jitter over 1, 2, 4, 8 and 16 s, and a good one begins anew', () => {
    const most = pace(1);
    expect(times(7, () => most.failed(0))).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 16_000, 16_000]);
    most.succeeded();
    expect(most.failed(0)).toBe(1_000);
    const least = pace(0);
    expect(times(7, () => least.failed(0))).toEqual([0, 0, 0, 0, 0, 0, 0]);
  });

  it('comes after a failure no later than it would have come anyway', () => {
    const often = new Pace({ ...PACE_DEFAULTS, refreshIntervalMs: 2_000, random: () => 1 });
    expect(Math.max(...times(10, () => often.failed(0)))).toBeLessThanOrEqual(2_200);
  });

  it('comes within about a minute where somebody has to mend something', () => {
    expect([0, 0.5, 1].map((at) => pace(at).refused())).toEqual([30_000, 60_000, 90_000]);
    const often = new Pace({ ...PACE_DEFAULTS, refreshIntervalMs: 2_000, random: () => 0.5 });
    expect(often.refused()).toBe(2_000);
  });
});

describe('a vault that gets too many requests', () => {
  it('is left alone for at least what it asks for, up to a minute, and jitter on top', () => {
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

  it('is asked again no sooner than the pause is over', () => {
    const one = pace(0.5);
    one.throttled(0, 30_000);
    expect(one.failed(0)).toBe(one.pausedUntil);
    expect(one.failed(10_000)).toBe(one.pausedUntil - 10_000);
  });

  it('says so once, however many of the requests of one look it refuses', () => {
    const [one, many] = [pace(1), pace(1)];
    one.throttled(0);
    for (let answer = 0; answer < 8; answer += 1) many.throttled(answer);
    expect([many.pausedUntil, many.stretch]).toEqual([one.pausedUntil, one.stretch]);
    many.throttled(8, 50_000);
    expect(many.pausedUntil).toBe(50_008);
  });

  it('is asked less often for a while, and less and less while it goes on', () => {
    const one = pace(0.5);
    const pauses = times(4, () => {
      const now = one.pausedUntil;
      one.throttled(now);
      return one.pausedUntil - now;
    });
    expect([...pauses].sort((a, b) => a - b)).toEqual(pauses);
    expect(one.stretch).toBeGreaterThan(1);
    one.succeeded();
    expect(one.stretch).toBe(1);
  });
});
