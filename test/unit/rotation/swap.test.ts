import { environment, SecretStore, type Snapshot } from 'hot-secrets';
import { describe, expect, it, vi } from 'vitest';
import { rotating } from '../../../src/rotation/rotating';
import { deferred } from '../../support/deferred';
import { waitFor } from '../../support/wait-for';
import { harness, type Values } from './harness';

describe('a rotating resource', () => {
  it('serves a new resource only after its verification, over three rotations', async () => {
    const { start, rotate, built, of } = await harness();
    let proof = deferred();
    const resource = start({ verify: () => proof.promise });
    expect(() => resource.current).toThrow(expect.objectContaining({ code: 'ROTATION_NOT_READY' }));
    proof.resolve();
    expect(await resource.ready).toBe(built[0]);

    for (const round of [1, 2, 3]) {
      proof = deferred();
      await rotate({ user: `u${round + 1}`, password: `p${round + 1}` });
      await waitFor(() => built.length === round + 1);
      expect(resource.current).toBe(built[round - 1]);
      proof.resolve();
      await waitFor(() => resource.current === built[round]);
      await waitFor(() => of('drained').length === round);
      expect(built[round]).toMatchObject({ user: `u${round + 1}`, password: `p${round + 1}`, disposed: 0 });
      expect(built[round - 1]).toMatchObject({ disposed: 1 });
    }

    expect(of('swapped').slice(-1)).toEqual([
      { name: 'resource', generation: 4, previousGeneration: 3, attempts: 1, durationMs: expect.any(Number) },
    ]);
    expect(of('drained').slice(-1)).toEqual([
      { name: 'resource', generation: 3, forced: false, durationMs: expect.any(Number) },
    ]);
    expect(resource.generation).toBe(4);
  });

  it('does not build a resource again when a secret that it did not read rotates', async () => {
    const { start, rotate, built, secrets } = await harness();
    const resource = start();
    await resource.ready;

    await rotate({ other: 'o2' });
    await rotate({ other: 'o3', extra: 'e1' });
    expect(secrets.generation).toBe(3);
    await rotate({ password: 'p2' });
    await waitFor(() => resource.current.password === 'p2');
    expect(built).toHaveLength(2);
  });

  it.each<[string, (s: Snapshot<Values>) => unknown]>([
    ['asks for with has()', (s) => s.has('extra')],
    ['lists with names()', (s) => s.names()],
    ['reveals while it has no value', (s) => s.reveal('extra')],
    ['reads with revealWithPrevious()', (s) => s.revealWithPrevious('extra')],
    ['gets as a box', (s) => s.get('extra')],
  ])('builds a resource again when a secret rotates that it %s', async (_how, read) => {
    const { start, rotate, make, built } = await harness();
    const resource = start({
      build: (s) => {
        read(s);
        return make(s);
      },
    });
    await resource.ready;

    await rotate({ extra: 'e1' });
    await waitFor(() => built.length === 2);
    await rotate({ extra: 'e2' });
    await waitFor(() => built.length === 3);
  });

  it('builds a resource again when a secret rotates before an asynchronous build reads it', async () => {
    const { start, rotate, make, built, secrets } = await harness();
    const gate = deferred();
    const seen: unknown[] = [];
    const resource = start({
      build: async (s) => {
        if (s.reveal('user') !== 'u1') {
          await gate.promise;
          seen.push(s.reveal('extra'));
        }
        return make(s);
      },
    });
    await resource.ready;

    await rotate({ user: 'u2' });
    // Neither the resource that serves nor the running build has read it yet.
    await rotate({ extra: 'e1' });
    gate.resolve();
    await waitFor(() => resource.current.user === 'u2');
    expect(seen).toEqual([undefined, 'e1']);
    expect(resource.generation).toBe(secrets.generation);
    expect(built.map(({ disposed }) => disposed)).toEqual([1, 1, 0]);
  });

  it('serves the latest values when a secret rotates before a running rotation reads it', async () => {
    const { start, rotate, make, built } = await harness();
    const gates = [deferred(), deferred(), deferred()];
    let builds = 0;
    const resource = start({
      build: async (s) => {
        const gate = gates[builds];
        builds += 1;
        const user = s.reveal('user');
        await gate?.promise;
        return { ...make(s), user };
      },
    });
    gates[0]?.resolve();
    await resource.ready;

    // The running rotation has read the user only when the password changes.
    await rotate({ user: 'u2' });
    await waitFor(() => builds === 2);
    await rotate({ password: 'p2' });
    gates[1]?.resolve();
    gates[2]?.resolve();
    await waitFor(() => resource.current.user === 'u2');
    expect(resource.current.password).toBe('p2');
    expect(built.some(({ user, password }) => user === 'u2' && password === 'p2')).toBe(true);
  });

  it('builds a resource from an undeclared variable once', async () => {
    vi.stubEnv('HOT_SECRETS_TEST_UNDECLARED', 'value');
    await using secrets = await SecretStore.open({ sources: [environment()] });
    const build = vi.fn((s: Snapshot) => s.reveal('hot-secrets-test-undeclared'));
    await using resource = rotating(secrets, { build });
    expect(await resource.ready).toBe('value');
    expect(build).toHaveBeenCalledTimes(1);
    vi.unstubAllEnvs();
  });
});
