import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { CredentialGate } from '../../../../src/adapters/pools/credential-gate';

const error = new Error('refused');

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

interface Caller {
  readonly callback: (error: Error) => void;
}

function gate(overrides: { readonly probe?: () => Promise<boolean> } = {}) {
  const queue: Caller[] = [];
  const opened = vi.fn();
  const probe = vi.fn(async () => false);
  const callers = {
    waiting: () => queue,
    reject: (caller: Caller, reason: Error) => {
      queue.splice(queue.indexOf(caller), 1);
      caller.callback(reason);
    },
    hasConnection: () => true,
  };
  const made = new CredentialGate({ callers, waitMs: () => 1000, probe, opened, ...overrides });
  const wait = () => {
    const callback = vi.fn();
    queue.push({ callback });
    return callback;
  };
  return { made, queue, opened, probe, wait };
}

describe('the gate of a pool', () => {
  it('rejects each caller after its own wait, with the last refusal', () => {
    const { made, wait, queue } = gate();
    made.close(new Error('older'));
    const first = wait();
    vi.advanceTimersByTime(500);
    made.close(error);
    const second = wait();
    vi.advanceTimersByTime(610);
    expect(first).toHaveBeenCalledWith(error);
    expect(second).not.toHaveBeenCalled();
    vi.advanceTimersByTime(500);
    expect(second).toHaveBeenCalledTimes(1);
    expect(first).toHaveBeenCalledTimes(1);
    expect(queue).toEqual([]);
  });

  it('probes after longer and longer pauses until the server accepts the credential, and opens once', async () => {
    let accepts = false;
    const probe = vi.fn(async () => accepts);
    const { made, opened } = gate({ probe });
    made.close(error);
    await vi.advanceTimersByTimeAsync(20_000);
    expect([made.closed, opened.mock.calls.length]).toEqual([true, 0]);
    // 1, 2, 4, 8 s, each with up to half of it off.
    expect(probe.mock.calls.length).toBeLessThanOrEqual(6);
    expect(probe.mock.calls.length).toBeGreaterThanOrEqual(4);
    accepts = true;
    await vi.advanceTimersByTimeAsync(15_000);
    expect([made.closed, opened.mock.calls.length]).toEqual([false, 1]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('ignores the answer of a probe with an earlier credential', async () => {
    const answers: ((accepted: boolean) => void)[] = [];
    const { made, opened } = gate({
      probe: () => new Promise((resolve) => answers.push(resolve)),
    });
    made.close(error);
    await vi.advanceTimersByTimeAsync(1000);
    expect(answers).toHaveLength(1);
    made.open();
    expect(opened).toHaveBeenCalledTimes(1);
    made.close(error);
    answers[0]?.(true);
    await vi.advanceTimersByTimeAsync(0);
    expect(made.closed).toBe(true);
  });

  it('answers each caller once when one of them ends the pool', () => {
    const { made, queue } = gate();
    const answers: string[] = [];
    for (const name of ['a', 'b', 'c']) {
      queue.push({
        callback: () => {
          answers.push(name);
          // As `pool.end()` does.
          for (const item of queue.splice(0)) item.callback(error);
        },
      });
    }
    made.close(error);
    vi.advanceTimersByTime(2000);
    expect(answers).toEqual(['a', 'b', 'c']);
  });

  it('keeps the process alive only while a caller waits', () => {
    const intervals = vi.spyOn(globalThis, 'setInterval');
    const { made, wait, queue } = gate();
    expect(made.holds()).toBe(false);
    made.close(error);
    const sweep = intervals.mock.results[0]?.value as NodeJS.Timeout;
    vi.advanceTimersByTime(100);
    expect(sweep.hasRef()).toBe(false);
    expect(made.holds()).toBe(true);
    expect(sweep.hasRef()).toBe(true);
    wait();
    vi.advanceTimersByTime(500);
    expect(sweep.hasRef()).toBe(true);
    queue.splice(0);
    vi.advanceTimersByTime(100);
    expect(sweep.hasRef()).toBe(false);
  });
});
