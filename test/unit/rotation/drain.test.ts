import { describe, expect, it, vi } from 'vitest';
import { deferred } from '../../support/deferred';
import { waitFor } from '../../support/wait-for';
import { type Fake, harness } from './harness';

describe('an old resource', () => {
  it('disposes of an old resource once its last use has ended and it has drained', async () => {
    const { start, rotate, built, of } = await harness();
    const drained = deferred();
    const resource = start({
      drain: ({ password }: Fake) => (password === 'p1' ? drained.promise : undefined),
    });
    await resource.ready;

    const [first, second] = [deferred<string>(), deferred()];
    const used = resource.use(() => first.promise);
    const failed = resource.use(() => second.promise);
    await rotate({ password: 'p2' });
    await waitFor(() => resource.current.password === 'p2');
    expect(await resource.use(({ password }) => password)).toBe('p2');

    drained.resolve();
    first.resolve('done');
    expect(await used).toBe('done');
    expect(built[0]?.disposed).toBe(0);
    second.reject(new Error('own'));
    await expect(failed).rejects.toThrow('own');
    await waitFor(() => of('drained').length === 1);
    expect(of('drained')[0]).toMatchObject({ generation: 1, forced: false });
    expect(built[0]?.disposed).toBe(1);
    expect(of('error')).toEqual([]);
  });

  it('disposes of an old resource in use after drainTimeoutMs', async () => {
    const { start, rotate, built, of } = await harness();
    const signals: AbortSignal[] = [];
    const resource = start(
      {
        drain: (_fake, signal) => {
          signals.push(signal);
        },
      },
      { drainTimeoutMs: 40 },
    );
    await resource.ready;
    const use = deferred();
    const used = resource.use(() => use.promise);

    await rotate({ password: 'p2' });
    await waitFor(() => of('drained').length === 1);
    expect(of('drained')[0]).toMatchObject({ generation: 1, forced: true });
    expect(of('error').map(({ code }) => code)).toEqual(['DRAIN_TIMEOUT']);
    expect(signals[0]?.aborted).toBe(true);
    expect(built[0]?.disposed).toBe(1);
    use.resolve();
    await used;
    expect(built[0]?.disposed).toBe(1);
  });

  it('reports a drain or dispose that throws, and continues to rotate', async () => {
    const { start, rotate, built, of } = await harness();
    const resource = start({
      drain: ({ password }: Fake) => {
        if (password === 'p1') throw new Error('drain');
      },
      dispose: async (fake: Fake) => {
        fake.disposed += 1;
        if (fake.password === 'p2') throw new Error('dispose');
      },
    });
    await resource.ready;

    for (const password of ['p2', 'p3', 'p4']) {
      await rotate({ password });
      await waitFor(() => resource.current.password === password);
    }
    await waitFor(() => of('drained').length === 3);
    expect(of('error').map(({ code }) => code)).toEqual(['DISPOSE_FAILED', 'DISPOSE_FAILED']);
    expect(built.map(({ disposed }) => disposed)).toEqual([1, 1, 1, 0]);
  });
});

describe('close()', () => {
  it('drains and disposes of the current resource once at close, and refuses later use', async () => {
    const { start, rotate, built, of } = await harness();
    const resource = start();
    await resource.ready;
    const use = deferred();
    const used = resource.use(() => use.promise);

    const closing = resource.close();
    expect(resource.close()).toBe(closing);
    expect(() => resource.current).toThrow(expect.objectContaining({ code: 'ROTATION_CLOSED' }));
    await expect(resource.use(() => {})).rejects.toMatchObject({ code: 'ROTATION_CLOSED' });
    expect(built[0]?.disposed).toBe(0);
    use.resolve();
    await used;
    await closing;
    expect(built[0]?.disposed).toBe(1);
    expect(of('drained')).toHaveLength(1);

    await rotate({ password: 'p2' });
    await resource[Symbol.asyncDispose]();
    expect(built).toHaveLength(1);
  });

  it('waits at close for a running build, and disposes of its result', async () => {
    const { start, make, built } = await harness();
    const slow = deferred();
    const resource = start({
      build: async (s) => {
        await slow.promise;
        return make(s);
      },
    });
    const ready = expect(resource.ready).rejects.toMatchObject({ code: 'ROTATION_CLOSED' });
    const closing = resource.close();
    const next = new Promise((resolve) => setImmediate(resolve, 'still open'));
    expect(await Promise.race([closing, next])).toBe('still open');
    slow.resolve();
    await closing;
    await ready;
    expect(built[0]?.disposed).toBe(1);
  });

  it('ends the pause before a retry at close, and leaves no timer', async () => {
    const { start, of } = await harness();
    const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
    const before = timers();
    const started = vi.spyOn(globalThis, 'setTimeout');
    const cleared = vi.spyOn(globalThis, 'clearTimeout');
    const resource = start(
      {
        build: () => {
          throw new Error('never');
        },
      },
      { retryBaseMs: 1e9, retryMaxMs: 1e9, readyTimeoutMs: 1e9 },
    );
    void resource.ready.catch(() => {});
    await waitFor(() => of('rejected').length === 1);
    await resource.close();
    const ours = started.mock.results
      .map(({ value }) => value as NodeJS.Timeout)
      .filter((timer) => !timer.hasRef());
    const ended = cleared.mock.calls.map(([timer]) => timer);
    vi.restoreAllMocks();
    expect(ours.length).toBeGreaterThan(0);
    expect(ours.filter((timer) => !ended.includes(timer))).toEqual([]);
    expect(timers()).toBeLessThanOrEqual(before);
  });

  it('closes within a minute when a dispose never settles', async () => {
    const { start, of } = await harness();
    const resource = start({ dispose: () => new Promise(() => {}) });
    await resource.ready;
    vi.useFakeTimers();
    try {
      const closing = resource.close();
      await vi.advanceTimersByTimeAsync(60_000);
      await closing;
    } finally {
      vi.useRealTimers();
    }
    expect(of('error').map(({ code }) => code)).toEqual(['DISPOSE_FAILED']);
  });
});
