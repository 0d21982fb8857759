import { describe, expect, it } from 'vitest';
import { type Deferred, deferred } from '../../support/deferred';
import { waitFor } from '../../support/wait-for';
import { type Fake, harness } from './harness';

describe('a newer rotation', () => {
  it('supersedes a running build with a newer rotation, and disposes of its late result', async () => {
    const { start, rotate, make, built, of } = await harness();
    const signals: AbortSignal[] = [];
    let slow: Deferred<void> | undefined;
    const resource = start({
      build: async (s, signal) => {
        signals.push(signal);
        const fake = make(s);
        await slow?.promise;
        return fake;
      },
    });
    await resource.ready;

    const first = deferred();
    slow = first;
    await rotate({ password: 'p2' });
    await waitFor(() => built.length === 2);
    slow = undefined;
    await rotate({ password: 'p3' });
    await waitFor(() => resource.current.password === 'p3');
    expect(signals.map(({ aborted }) => aborted)).toEqual([false, true, false]);

    first.resolve();
    await waitFor(() => built[1]?.disposed === 1);
    expect(resource.current.password).toBe('p3');
    expect(of('swapped').map(({ generation }) => generation)).toEqual([1, 3]);
    expect(of('rejected')).toEqual([]);
  });

  it.each(['passes', 'fails'] as const)(
    'supersedes a running verification with a newer rotation, even if it %s later',
    async (ending) => {
      const { start, rotate, built, of } = await harness();
      const proof = deferred();
      const resource = start({
        verify: ({ password }: Fake) => (password === 'p2' ? proof.promise : undefined),
      });
      await resource.ready;

      await rotate({ password: 'p2' });
      await waitFor(() => built.length === 2);
      await rotate({ password: 'p3' });
      await waitFor(() => resource.current.password === 'p3');
      if (ending === 'passes') proof.resolve();
      else proof.reject(new Error('late'));
      await waitFor(() => built[1]?.disposed === 1);
      expect(resource.current).toBe(built[2]);
      expect(of('rejected')).toEqual([]);
    },
  );

  it('ends a running rotation when the secret returns to the value in use', async () => {
    const { start, rotate, built, of } = await harness();
    const proof = deferred();
    const resource = start({
      verify: ({ password }: Fake) => (password === 'p2' ? proof.promise : undefined),
    });
    await resource.ready;

    await rotate({ password: 'p2' });
    await waitFor(() => built.length === 2);
    await rotate({ password: 'p1' });
    proof.resolve();
    await waitFor(() => built[1]?.disposed === 1);
    expect(resource.current).toBe(built[0]);
    expect(built).toHaveLength(2);

    await rotate({ password: 'p3' });
    await waitFor(() => resource.current.password === 'p3');
    expect(of('swapped')).toHaveLength(2);
  });

  it('starts a newer rotation without waiting for the retry of a failed one', async () => {
    const { start, rotate, of } = await harness();
    const resource = start(
      {
        verify: ({ password }: Fake) => {
          if (password === 'p2') throw new Error('refused');
        },
      },
      { retryBaseMs: 1e9, retryMaxMs: 1e9 },
    );
    await resource.ready;

    await rotate({ password: 'p2' });
    await waitFor(() => of('rejected').length === 1);
    await rotate({ password: 'p3' });
    await waitFor(() => resource.current.password === 'p3');
  });
});
