import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { waitFor } from '../../support/wait-for';
import { harness } from './harness';

describe('a rotation that fails', () => {
  it('retries a failed rotation, reports it once per cause, and serves the old resource meanwhile', async () => {
    const { start, rotate, make, built, of } = await harness();
    const causes = [TypeError, RangeError, TypeError, RangeError].map((Kind) => new Kind('refused'));
    let failures = 0;
    const resource = start({
      build: (s) => {
        const cause = s.reveal('password') === 'p2' ? causes[failures] : undefined;
        if (cause === undefined) return make(s);
        failures += 1;
        throw cause;
      },
    });
    await resource.ready;

    await rotate({ password: 'p2' });
    await waitFor(() => failures === 1);
    expect(resource.current).toBe(built[0]);
    await waitFor(() => resource.current.password === 'p2');
    expect(of('rejected').map(({ error }) => error.code)).toEqual(['BUILD_FAILED', 'BUILD_FAILED']);
    expect(of('rejected')[0]).toMatchObject({ name: 'resource', generation: 2 });
    expect(of('rejected')[0]?.retryInMs).toBeLessThanOrEqual(20);
    expect(of('swapped')[1]).toMatchObject({ attempts: 5, previousGeneration: 1 });
  });

  it('reports a failed rotation again for a newer generation', async () => {
    const { start, rotate, built, of } = await harness();
    const resource = start({
      verify: ({ generation }) => {
        if (generation > 1) throw new Error('refused');
      },
    });
    await resource.ready;

    await rotate({ password: 'p2' });
    await waitFor(() => built.length > 3);
    await rotate({ password: 'p3' });
    await waitFor(() => built.length > 6);
    const told = of('rejected').map(({ generation, error }) => [generation, error.code]);
    expect(told).toEqual([
      [2, 'VERIFY_FAILED'],
      [3, 'VERIFY_FAILED'],
    ]);
    expect(resource.current).toBe(built[0]);
    await waitFor(() => built.slice(1, -1).every(({ disposed }) => disposed === 1));
  });

  it('reports a failed build or dispose without a value or a foreign message', async () => {
    const { start, rotate, of } = await harness();
    const leaky = (password: string) => {
      const error = new Error(`no login for ${password}\n    at /${password}:1:1`, { cause: password });
      error.name = `Error of ${password}`;
      return Object.assign(error, { code: `E-${password}` });
    };
    const resource = start({
      build: (s) => {
        const password = s.reveal('password');
        if (password === 'p1') return { user: '', password, generation: 1, disposed: 0 };
        throw leaky(password);
      },
      dispose: ({ password }) => {
        throw leaky(password);
      },
    });
    await resource.ready;

    await rotate({ password: 'fictitious' });
    await waitFor(() => of('rejected').length === 1);
    await resource.close();
    const said = [...of('rejected').map(({ error }) => error), ...of('error')];
    expect(said.map(({ code }) => code)).toEqual(['BUILD_FAILED', 'DISPOSE_FAILED']);
    for (const error of said) {
      expect(`${error.stack} ${JSON.stringify(error)}`).not.toMatch(/fictitious|no login/);
      expect(error.cause).toBeUndefined();
    }
  });

  it('rejects a build after buildTimeoutMs, and disposes of its late result', async () => {
    const { start, rotate, make, built, of } = await harness();
    let release = () => {};
    const signals: AbortSignal[] = [];
    const resource = start(
      {
        build: (s, signal) => {
          const fake = make(s);
          if (built.length !== 2) return fake;
          signals.push(signal);
          return new Promise((resolve) => {
            release = () => resolve(fake);
          });
        },
      },
      { buildTimeoutMs: 30 },
    );
    await resource.ready;

    await rotate({ password: 'p2' });
    await waitFor(() => resource.current === built[2]);
    expect(of('rejected')[0]?.error).toMatchObject({
      code: 'BUILD_FAILED',
      what: expect.stringContaining('30 ms'),
    });
    expect(signals[0]?.aborted).toBe(true);
    expect(built[1]?.disposed).toBe(0);
    release();
    await waitFor(() => built[1]?.disposed === 1);
  });

  it('rejects a verification after verifyTimeoutMs, and disposes of what it verified', async () => {
    const { start, rotate, built, of } = await harness();
    const resource = start(
      { verify: () => (built.length === 2 ? new Promise(() => {}) : undefined) },
      { verifyTimeoutMs: 30 },
    );
    await resource.ready;

    await rotate({ password: 'p2' });
    await waitFor(() => resource.current === built[2]);
    expect(of('rejected')[0]?.error.code).toBe('VERIFY_TIMEOUT');
    await waitFor(() => built[1]?.disposed === 1);
  });

  it('isolates a listener of a resource that throws from all others', async () => {
    const { start, rotate, of } = await harness();
    const resource = start();
    await resource.ready;
    resource.on('swapped', () => {
      throw new Error('listener');
    });
    resource.on('swapped', async () => Promise.reject(new Error('listener')));
    const heard: number[] = [];
    resource.on('swapped', ({ generation }) => heard.push(generation));
    resource.on('error', () => {
      throw new Error('error listener');
    });
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    onTestFinished(() => warn.mockRestore());

    await rotate({ password: 'p2' });
    await rotate({ password: 'p3' });
    await waitFor(() => of('drained').length === 2);
    expect(heard).toEqual([2, 3]);
    expect(of('error').map(({ code }) => code)).toEqual(Array(4).fill('LISTENER_FAILED'));
    expect(warn).toHaveBeenCalledTimes(4);
    expect(warn).toHaveBeenLastCalledWith(
      expect.any(String),
      expect.objectContaining({ code: 'LISTENER_FAILED' }),
    );
  });
});
