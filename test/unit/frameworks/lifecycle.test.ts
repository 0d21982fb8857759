import { memory, SecretStore } from 'hot-secrets';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { type RotationHook, runHook } from '../../../src/frameworks/lifecycle';
import { record } from '../../support/store-log';
import { waitFor } from '../../support/wait-for';

const MARKER = 'leak-marker-hook';

async function stage(hook: RotationHook<{ readonly token: string }>, timeoutMs = 10_000) {
  const source = memory({ token: 'value-0' });
  const store = await SecretStore.open({ secrets: { token: 'token' }, sources: [source] });
  onTestFinished(() => store.close());
  const stop = runHook(store, hook, timeoutMs);
  let round = 0;
  return {
    store,
    stop,
    log: record(store),
    async rotate() {
      round += 1;
      source.set({ token: `value-${round}` });
      await store.refresh();
    },
  };
}

describe('onRotate', () => {
  it('calls onRotate once at a time and in order, each with the snapshot of its generation', async () => {
    const steps: string[] = [];
    let running = 0;
    const { rotate } = await stage(async ({ generation }, { snapshot }) => {
      running += 1;
      expect(running).toBe(1);
      await new Promise((resolve) => setTimeout(resolve, generation === 2 ? 30 : 1));
      steps.push(`${generation} ${snapshot.generation} ${snapshot.reveal('token')}`);
      running -= 1;
    });
    for (let round = 0; round < 4; round += 1) await rotate();
    await waitFor(() => steps.length === 4);
    expect(steps).toEqual(['2 2 value-1', '3 3 value-2', '4 4 value-3', '5 5 value-4']);
  });

  it.each([
    [
      'throws',
      () => {
        throw new TypeError(MARKER);
      },
    ],
    [
      'rejects',
      async () => {
        throw new TypeError(MARKER);
      },
    ],
  ])('reports each time that onRotate %s, and calls it again at the next rotation', async (_title, fail) => {
    let calls = 0;
    const { store, rotate, log } = await stage(() => {
      calls += 1;
      return calls === 3 ? undefined : fail();
    });
    for (let round = 0; round < 3; round += 1) await rotate();
    await waitFor(() => calls === 3 && log.errors.length === 2);
    expect(log.codes()).toEqual(['LISTENER_FAILED', 'LISTENER_FAILED']);
    expect(log.errors[0]?.message).toMatch(
      /^the hook onRotate failed with TypeError at .*lifecycle\.test\.ts:/,
    );
    expect(log.errors.map(({ message }) => message).join()).not.toContain(MARKER);
    expect(store.reveal('token')).toBe('value-3');
  });

  it('aborts and reports onRotate after its time limit, and calls it again at the next rotation', async () => {
    const signals: AbortSignal[] = [];
    const { rotate, log } = await stage((_event, { signal }) => {
      signals.push(signal);
      return new Promise(() => {});
    }, 20);
    for (let round = 0; round < 3; round += 1) await rotate();
    await waitFor(() => log.errors.length === 3);
    expect(log.codes()).toEqual(Array(3).fill('LISTENER_FAILED'));
    expect(log.errors[0]?.message).toContain('did not end within 20 ms');
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, true, true]);
  });

  it('leaves no abort listener behind after 30 successful runs of onRotate', async () => {
    const signals: AbortSignal[] = [];
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    onTestFinished(() => warn.mockRestore());
    const { rotate } = await stage((_event, { signal }) => signals.push(signal));
    for (let round = 0; round < 30; round += 1) await rotate();
    await waitFor(() => signals.length === 30);
    expect(signals.some(({ aborted }) => aborted)).toBe(false);
    expect(warn).not.toHaveBeenCalled();
  });

  it('aborts onRotate when the store closes, without waiting for it', async () => {
    let signal: AbortSignal | undefined;
    const { store, rotate, log } = await stage((_event, context) => {
      signal = context.signal;
      return new Promise(() => {});
    });
    await rotate();
    await waitFor(() => signal !== undefined);
    await store.close();
    await waitFor(() => signal?.aborted);
    expect(log.errors).toEqual([]);
  });

  it('does not call onRotate once it is stopped', async () => {
    let calls = 0;
    const { rotate, stop } = await stage(() => {
      calls += 1;
    });
    await rotate();
    await waitFor(() => calls === 1);
    stop();
    stop();
    await rotate();
    await rotate();
    expect(calls).toBe(1);
  });
});
