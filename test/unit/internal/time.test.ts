import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { backoffMs, bounded, deadline, delay, unrefTimer } from '../../../src/internal/time';

afterEach(() => {
  vi.useRealTimers();
});

describe('a deadline', () => {
  it('aborts a deadline after its time, with its parent, or at once if the parent is aborted', () => {
    vi.useFakeTimers();
    const parent = new AbortController();
    const byTime = deadline(parent.signal, 100);
    const byParent = deadline(parent.signal, 100_000);
    vi.advanceTimersByTime(99);
    expect(byTime.signal.aborted).toBe(false);
    vi.advanceTimersByTime(1);
    expect([byTime.signal.aborted, byParent.signal.aborted]).toEqual([true, false]);
    parent.abort();
    expect([byParent.signal.aborted, deadline(parent.signal, 1).signal.aborted]).toEqual([true, true]);
  });

  it('ends the timer of a released deadline, and no longer follows its parent', () => {
    vi.useFakeTimers();
    const parent = new AbortController();
    const { signal, release } = deadline(parent.signal, 100);
    release();
    expect(vi.getTimerCount()).toBe(0);
    parent.abort();
    expect(signal.aborted).toBe(false);
  });

  it('fires a deadline that only a listener references during garbage collection', () => {
    const module = fileURLToPath(new URL('../../../src/internal/time.ts', import.meta.url));
    const script = `
      import { deadline } from ${JSON.stringify(module)};
      const parent = new AbortController();
      deadline(parent.signal, 60).signal.addEventListener('abort', () => process.stdout.write('aborted'));
      const collecting = setInterval(() => gc(), 5);
      setTimeout(() => clearInterval(collecting), 150);
    `;
    const args = ['--expose-gc', '--import', 'tsx', '--input-type=module', '--eval', script];
    expect(execFileSync(process.execPath, args, { encoding: 'utf8', timeout: 20_000 })).toBe('aborted');
  });
});

describe('waits', () => {
  it('ends a delay when its signal aborts', async () => {
    const controller = new AbortController();
    const waiting = delay(600_000, controller.signal);
    controller.abort();
    await waiting;
    await delay(600_000, controller.signal);
  });

  it('rejects a wait after its bound, and otherwise settles as the promise does', async () => {
    const late = () => new Error('late');
    await expect(bounded(new Promise(() => {}), 5, late)).rejects.toThrow('late');
    await expect(bounded(Promise.resolve(1), 5, late)).resolves.toBe(1);
    await expect(bounded(Promise.reject(new Error('own')), 5, late)).rejects.toThrow('own');
  });

  it('starts no timer for an infinite wait, and accepts waits longer than a timer of Node', () => {
    vi.useFakeTimers();
    const fired = vi.fn();
    unrefTimer(Number.POSITIVE_INFINITY, fired);
    expect(vi.getTimerCount()).toBe(0);
    unrefTimer(2 ** 40, fired);
    vi.advanceTimersByTime(1000);
    expect(fired).not.toHaveBeenCalled();
  });

  it('backs off for a random time below a doubling bound', () => {
    for (let attempt = 0; attempt < 50; attempt += 1) {
      const ms = backoffMs(attempt, 100, 5000);
      expect(ms).toBeGreaterThanOrEqual(0);
      expect(ms).toBeLessThanOrEqual(Math.min(5000, 100 * 2 ** attempt));
    }
  });
});
