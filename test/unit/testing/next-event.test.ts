import { memory, type RotationEvents, rotating, SecretStore } from 'hot-secrets';
import { createPool } from 'hot-secrets/pg';
import { nextEvent } from 'hot-secrets/testing';
import { expect, expectTypeOf, it, onTestFinished, vi } from 'vitest';

async function open() {
  const source = memory({ user: 'u1' });
  const secrets = await SecretStore.open({ secrets: { user: 'user' }, sources: [source] });
  onTestFinished(() => secrets.close());
  return { source, secrets };
}

it('resolves with the payload of the next event, three times', async () => {
  const { source, secrets } = await open();
  for (const value of ['u2', 'u3', 'u4']) {
    const changed = nextEvent(secrets, 'change');
    source.set({ user: value });
    const { changes } = await changed;
    expectTypeOf(changes[0]?.name).toEqualTypeOf<'user' | undefined>();
    expect(changes.map(({ name }) => name)).toEqual(['user']);
  }
});

it('waits for the events of a resource too', async () => {
  const { source, secrets } = await open();
  const client = rotating(secrets, { build: (s) => s.reveal('user') });
  onTestFinished(() => client.close());
  await client.ready;
  const swapped = nextEvent(client, 'swapped');
  expectTypeOf(swapped).resolves.toEqualTypeOf<RotationEvents['swapped']>();
  source.set({ user: 'u2' });
  expect((await swapped).generation).toBe(2);

  const pool = createPool(secrets, (s) => ({ user: s.reveal('user') }));
  onTestFinished(() => pool.end());
  const refused = nextEvent(pool.rotation, 'refused', { timeoutMs: 1 });
  expectTypeOf(refused).resolves.toHaveProperty('waiting');
  await expect(refused).rejects.toThrow('no "refused" event came within 1 ms');
});

it('rejects after its time limit in real time, and unsubscribes', async () => {
  const { source, secrets } = await open();
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  await expect(nextEvent(secrets, 'change', { timeoutMs: 20 })).rejects.toMatchObject({
    name: 'AssertionError',
    message: 'no "change" event came within 20 ms',
  });
  const changed = nextEvent(secrets, 'change');
  source.set({ user: 'u2' });
  expect((await changed).generation).toBe(2);
});

it('rejects for a closed store, an unknown event and a wrong option', async () => {
  const { secrets } = await open();
  await expect(nextEvent(secrets, 'changed' as 'change')).rejects.toMatchObject({ code: 'OPTION_INVALID' });
  await expect(nextEvent(secrets, 'change', { timeout: 5 } as never)).rejects.toMatchObject({
    code: 'OPTION_UNKNOWN',
  });
  await secrets.close();
  await expect(nextEvent(secrets, 'change')).rejects.toMatchObject({ code: 'STORE_CLOSED' });
});
