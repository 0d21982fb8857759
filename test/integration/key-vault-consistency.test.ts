import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { startVault } from '../support/key-vault-clients';
import { openStore, requestsOf, settled, sourceOf } from '../support/key-vault-stage';

describe('two vault secrets that change one after the other', () => {
  it('serves both secrets of a pair from one refresh when they change during it, in either order', async () => {
    const vault = await startVault({ secrets: { user: 'n-0', password: 'n-0' } });
    const secrets = { user: 'user', password: 'password' };
    const { store, log } = await openStore(secrets, sourceOf(vault));
    const pairs: string[][] = [];
    store.on('change', () => {
      const snapshot = store.snapshot();
      pairs.push([snapshot.reveal('user'), snapshot.reveal('password')]);
    });
    vault.fail({ kind: 'slow', delayMs: 60 });
    // The delay from the start of the refresh to the first half, and from there to the other half.
    const timings = [
      [30, 60],
      [70, 300],
      [90, 600],
    ] as const;
    for (const [round, [first, gap]] of timings.entries()) {
      const [one, two] = round % 2 === 0 ? ['user', 'password'] : ['password', 'user'];
      const refreshing = store.refresh();
      await sleep(first);
      await vault.set(one as string, `n-${round + 1}`);
      await sleep(gap);
      await vault.set(two as string, `n-${round + 1}`);
      await refreshing;
      await store.refresh();
      expect(store.reveal('user')).toBe(`n-${round + 1}`);
    }
    expect(pairs).toEqual(timings.map((_, round) => [`n-${round + 1}`, `n-${round + 1}`]));
    expect(log.errors).toEqual([]);
  });

  it('keeps the old pair and reports VAULT_UNSTABLE while secrets keep changing, and then reads the new one', async () => {
    const vault = await startVault({ secrets: { user: 'n-0', password: 'n-0' } });
    const { store, log } = await openStore({ user: 'user', password: 'password' }, sourceOf(vault));
    let number = 0;
    const writing = setInterval(async () => {
      number += 1;
      await vault.set('user', `n-${number}`);
      await vault.set('password', `n-${number}`);
    }, 400);
    await store.refresh();
    clearInterval(writing);
    expect(log.errors).toMatchObject([
      { code: 'VAULT_UNSTABLE', next: expect.stringContaining('what keeps writing') },
    ]);
    expect([store.reveal('user'), store.reveal('password')]).toEqual(['n-0', 'n-0']);
    await store.refresh();
    expect([store.reveal('user'), store.reveal('password')]).toEqual([`n-${number}`, `n-${number}`]);
  });

  it('reads each secret once when all were written long before the refresh', async () => {
    const vault = await startVault({ secrets: { user: 'n-0', password: 'n-0' } });
    await settled();
    const requests = requestsOf(vault);
    await openStore({ user: 'user', password: 'password' }, sourceOf(vault));
    expect(requests.all).toEqual(['user 401', 'token 200', 'user 200', 'password 200']);
  });
});
