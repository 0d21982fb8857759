import type { OnDispose } from 'hot-secrets';
import { describe, expect, it, vi } from 'vitest';
import { deferred } from '../../support/deferred';
import { waitFor } from '../../support/wait-for';
import { type Fake, harness } from './harness';

const never = (_read?: unknown) => new Promise<never>(() => {});

/** Runs `work` and returns how long it took. */
async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

/** A harness whose builds open a tunnel and then a connection. `open` has what is still open. */
async function stage() {
  const kit = await harness();
  const open = new Set<string>();
  const closed: string[] = [];
  const opener = (onDispose: OnDispose, password: string) => (what: string) => {
    const name = `${what} ${password}`;
    open.add(name);
    onDispose(async () => {
      closed.push(name);
      open.delete(name);
    });
  };
  return { ...kit, open, closed, opener };
}

describe('onDispose', () => {
  it('closes what a build registered with its resource, after dispose and the last first', async () => {
    const { start, rotate, make, opener, open, closed } = await stage();
    const resource = start({
      build: (s, _signal, onDispose) => {
        const opens = opener(onDispose, s.reveal('password'));
        opens('tunnel');
        opens('connection');
        return make(s);
      },
      dispose: ({ password }: Fake) => void closed.push(`resource ${password}`),
    });
    await resource.ready;
    expect(closed).toEqual([]);
    for (const [previous, next] of ['p1', 'p2', 'p3', 'p4'].map((one, at, all) => [one, all[at + 1]])) {
      if (next === undefined) await resource.close();
      else await rotate({ password: next });
      await waitFor(() => closed.length === 3);
      expect(closed.splice(0)).toEqual([
        `resource ${previous}`,
        `connection ${previous}`,
        `tunnel ${previous}`,
      ]);
      expect(open.size).toBe(next === undefined ? 0 : 2);
    }
  });

  it.each<[ending: string, code: string, fail: (make: () => Fake) => Fake | Promise<Fake>]>([
    [
      'throws',
      'BUILD_FAILED',
      () => {
        throw new TypeError('half-way');
      },
    ],
    ['rejects', 'BUILD_FAILED', () => Promise.reject(new TypeError('half-way'))],
    ['never settles', 'BUILD_FAILED', never],
    ['does not verify', 'VERIFY_FAILED', (make) => Object.assign(make(), { user: 'unverified' })],
  ])('closes what a build registered when it %s, and keeps the old resource', async (_ending, code, fail) => {
    const { start, rotate, make, opener, open, of, built } = await stage();
    const resource = start(
      {
        build: async (s, _signal, onDispose) => {
          const password = s.reveal('password');
          opener(onDispose, password)('tunnel');
          return password === 'p2' ? fail(() => make(s)) : make(s);
        },
        verify: ({ user }) => {
          if (user === 'unverified') throw new Error('unverified');
        },
      },
      { buildTimeoutMs: 30, retryBaseMs: 1e9, retryMaxMs: 1e9 },
    );
    await resource.ready;
    await rotate({ password: 'p2' });
    await waitFor(() => of('rejected').length === 1 && !open.has('tunnel p2'));
    expect(of('rejected')[0]?.error.code).toBe(code);
    expect(resource.current).toBe(built[0]);
    expect([...open]).toEqual(['tunnel p1']);
    await rotate({ password: 'p3' });
    await waitFor(() => resource.current.password === 'p3' && !open.has('tunnel p1'));
    expect([...open]).toEqual(['tunnel p3']);
  });

  it('closes at once what a build registers after its time limit, and disposes of its late result', async () => {
    const { start, rotate, make, opener, open, closed, built } = await stage();
    const slow = deferred();
    const resource = start(
      {
        build: async (s, _signal, onDispose) => {
          const opens = opener(onDispose, s.reveal('password'));
          opens('tunnel');
          if (s.reveal('password') !== 'p2') return make(s);
          await slow.promise;
          opens('connection');
          return make(s);
        },
      },
      { buildTimeoutMs: 30, retryBaseMs: 1e9, retryMaxMs: 1e9 },
    );
    await resource.ready;
    await rotate({ password: 'p2' });
    await waitFor(() => closed.includes('tunnel p2'));
    slow.resolve();
    await waitFor(() => built[1]?.disposed === 1);
    expect(closed).toEqual(['tunnel p2', 'connection p2']);
    expect([...open]).toEqual(['tunnel p1']);
  });

  it('closes what a superseded build registered, even if the build never settles', async () => {
    const { start, rotate, make, opener, open } = await stage();
    const resource = start({
      build: (s, _signal, onDispose) => {
        opener(onDispose, s.reveal('password'))('tunnel');
        return s.reveal('password') === 'p2' ? never() : make(s);
      },
    });
    await resource.ready;
    await rotate({ password: 'p2' });
    await waitFor(() => open.has('tunnel p2'));
    await rotate({ password: 'p3' });
    await waitFor(() => resource.current.password === 'p3' && open.size === 1);
    expect([...open]).toEqual(['tunnel p3']);
  });

  it('closes what a build registered that read no secret', async () => {
    const { start, opener, open, of } = await stage();
    const resource = start({
      build: (_s, _signal, onDispose) => {
        opener(onDispose, 'none')('tunnel');
        return { user: '', password: '', generation: 1, disposed: 0 };
      },
    });
    await expect(resource.ready).rejects.toMatchObject({ code: 'RECIPE_READS_NOTHING' });
    await waitFor(() => open.size === 0);
    expect(of('rejected')).toHaveLength(1);
  });

  it('reports a registered function that throws, and runs the others', async () => {
    const { start, make, opener, open, of } = await stage();
    const resource = start({
      build: (s, _signal, onDispose) => {
        const opens = opener(onDispose, s.reveal('password'));
        opens('tunnel');
        onDispose(() => {
          throw new RangeError('p1');
        });
        opens('connection');
        return make(s);
      },
    });
    await resource.ready;
    await resource.close();
    expect(open.size).toBe(0);
    expect(of('error').map(({ code, message }) => [code, message.includes('p1')])).toEqual([
      ['DISPOSE_FAILED', false],
    ]);
  });

  it('rejects a build that registers something other than a function', async () => {
    const { start, make, of } = await stage();
    const resource = start(
      {
        build: (s, _signal, onDispose) => {
          onDispose(make(s) as never);
          return make(s);
        },
      },
      { readyTimeoutMs: 50 },
    );
    await expect(resource.ready).rejects.toMatchObject({ code: 'OPTION_INVALID' });
    expect(of('rejected')[0]?.error.message).toContain('onDispose needs a function, not an object');
  });
});

describe('a step that never settles', () => {
  it('rejects a build at its limit, and closes soon', async () => {
    const { start, of } = await harness();
    const resource = start({ build: (s) => never(s.reveal('password')) }, { buildTimeoutMs: 30 });
    await waitFor(() => of('rejected').length === 1);
    expect(of('rejected')[0]?.error).toMatchObject({
      code: 'BUILD_FAILED',
      what: 'building the new resource took longer than 30 ms',
    });
    expect(await timed(() => resource.close())).toBeLessThan(10_000);
  });

  it.each(['build', 'verify'] as const)('closes soon during a %s without a limit', async (step) => {
    const { start, make, built, opener, open } = await stage();
    const signals: AbortSignal[] = [];
    const reached = vi.fn();
    const hang = (signal: AbortSignal) => {
      signals.push(signal);
      reached();
      return never();
    };
    const resource = start(
      {
        build: (s, signal, onDispose) => {
          opener(onDispose, s.reveal('password'))('tunnel');
          return step === 'build' ? hang(signal) : make(s);
        },
        verify: (_resource, signal) => hang(signal),
      },
      { buildTimeoutMs: Number.POSITIVE_INFINITY, verifyTimeoutMs: Number.POSITIVE_INFINITY },
    );
    await waitFor(() => reached.mock.calls.length === 1);
    expect(await timed(() => resource.close())).toBeLessThan(10_000);
    expect(signals[0]?.aborted).toBe(true);
    expect(open.size).toBe(0);
    expect(built.map(({ disposed }) => disposed)).toEqual(step === 'build' ? [] : [1]);
  });

  it('disposes of the result of a build that settles long after the close', async () => {
    const { start, make, built } = await harness();
    const slow = deferred();
    const resource = start({ build: (s) => slow.promise.then(() => make(s)) });
    await resource.close();
    slow.resolve();
    await waitFor(() => built[0]?.disposed === 1);
  });

  it('closes after drainTimeoutMs during a drain, and forces the end', async () => {
    const { start, of, built } = await harness();
    const resource = start({ drain: never }, { drainTimeoutMs: 30 });
    await resource.ready;
    expect(await timed(() => resource.close())).toBeLessThan(10_000);
    expect(built[0]?.disposed).toBe(1);
    expect(of('error').map(({ code }) => code)).toEqual(['DRAIN_TIMEOUT']);
  });
});
