import { secret } from 'hot-secrets';
import { keyring } from 'hot-secrets/keyring';
import { expect, it } from 'vitest';
import { aMinuteAgo, startVault } from '../support/key-vault-clients';
import { openStore, sourceOf } from '../support/key-vault-stage';

const SECRETS = {
  signing: 'signing',
  'signing.previous': secret.text('signing.previous', { vault: 'signing/previous' }).optional(),
};

it('signs with the previous version of a vault until every replica has the newest, also after a start', async () => {
  const vault = await startVault();
  await aMinuteAgo(() => vault.set('signing', 'the first key'));
  const { store } = await openStore(SECRETS, sourceOf(vault));
  expect(store.has('signing.previous')).toBe(false);
  const running = keyring(store, 'signing');
  expect(running.signing.reveal()).toBe('the first key');

  const before = Date.now();
  const version = await vault.set('signing', 'the second key');
  await store.refresh();
  const { store: restarted } = await openStore(SECRETS, sourceOf(vault));
  expect(restarted.get('signing').version).toBe(version);
  expect(restarted.get('signing').appearedAt?.getTime()).toBeGreaterThanOrEqual(before - 1000);
  expect(restarted.reveal('signing.previous')).toBe('the first key');
  for (const keys of [running, keyring(restarted, 'signing')]) {
    expect(keys.verifying.map((key) => key.reveal())).toEqual(['the first key', 'the second key']);
    const [previous, current] = keys.report();
    expect(previous).toMatchObject({ place: 'previous', signs: true, verifiesUntil: expect.any(Date) });
    // Three times the interval of the source: it is stale after that.
    const waitMs = (current?.signsAt?.getTime() ?? 0) - before;
    expect(Math.abs(waitMs - 45 * 60_000)).toBeLessThan(5000);
  }
});

it('finds no previous version of a vault that is disabled, or of a secret that does not exist', async () => {
  const vault = await startVault();
  let first = '';
  await aMinuteAgo(async () => {
    first = await vault.set('signing', 'the first key');
  });
  await vault.set('signing', 'the second key');
  await vault.update('signing', { enabled: false }, first);
  const secrets = {
    ...SECRETS,
    absent: secret.text('absent', { vault: 'absent/previous' }).optional(),
  };
  const { store, log } = await openStore(secrets, sourceOf(vault));
  expect([store.has('signing.previous'), store.has('absent')]).toEqual([false, false]);
  expect(keyring(store, 'signing').signing.reveal()).toBe('the second key');
  expect(log.codes()).toEqual([]);
});
