import { SecretStore } from 'hot-secrets';
import { createPool } from 'hot-secrets/pg';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { startVault } from '../support/key-vault-clients';
import { sourceOf } from '../support/key-vault-stage';
import { startLoad } from '../support/load';
import { type PgHarness, startPgHarness } from '../support/pg-harness';
import { record } from '../support/store-log';
import { waitFor } from '../support/wait-for';

let harness: PgHarness;
beforeAll(async () => {
  harness = await startPgHarness();
});
afterAll(() => harness.server.stop());

async function poolOf(role: string) {
  const vault = await startVault();
  await vault.set('db', 'first', { tags: { user: role } });
  const secrets = await SecretStore.open({
    secrets: { db: 'db' },
    sources: [sourceOf(vault, { refreshIntervalMs: 1_000 })],
  });
  const { host, port, database } = harness.server;
  const pool = createPool(
    secrets,
    (s) => ({
      host,
      port,
      database,
      max: 10,
      user: s.get('db').attributes.tags.user,
      password: s.reveal('db'),
    }),
    { retireOverMs: 100 },
  );
  onTestFinished(async () => {
    // The server may stop before the last connection has closed.
    pool.on('error', () => {});
    await pool.end();
    await secrets.close();
  });
  return { vault, secrets, pool };
}

describe('a pool whose user name is a tag of its password in the vault', () => {
  it('fails no query while vault versions alternate between two roles', async () => {
    const roles = [await harness.role('first'), await harness.role('first')] as const;
    const { vault, secrets, pool } = await poolOf(roles[0]);
    const log = record(secrets);
    const load = startLoad(20, () => pool.query('select pg_sleep(0.003)'));
    await waitFor(() => load.done > 200);
    for (const round of [1, 2, 3, 4]) {
      const [user, old] = round % 2 === 1 ? [roles[1], roles[0]] : roles;
      // A rotation between two roles changes the password of the idle role first.
      await harness.alter(user, `password 'round-${round}'`);
      await vault.set('db', `round-${round}`, { tags: { user } });
      await waitFor(async () => (await harness.backends(old)) === 0 && pool.rotation.staleCount === 0);
    }
    const { failures, done } = await load.stop();
    expect(failures).toEqual([]);
    expect(done).toBeGreaterThan(500);
    expect(roles.map(harness.refused)).toEqual([0, 0]);
    expect(log.errors).toEqual([]);
  });

  it('switches the role when only the tag of the password changes', async () => {
    const roles = [await harness.role('first'), await harness.role('first')] as const;
    const { vault, pool } = await poolOf(roles[0]);
    const load = startLoad(5, () => pool.query('select pg_sleep(0.003)'));
    for (const user of [roles[1], roles[0], roles[1]]) {
      await vault.update('db', { tags: { user } });
      await waitFor(async () => (await pool.query('select current_user as who')).rows[0].who === user);
    }
    expect((await load.stop()).failures).toEqual([]);
  });

  it('queues queries until the vault has the password that the database already requires', async () => {
    const role = await harness.role('first');
    const { vault, pool } = await poolOf(role);
    pool.rotation.on('refused', () => {});
    await pool.query('select 1');
    for (const round of [1, 2, 3]) {
      await harness.alter(role, `password 'round-${round}'`);
      const queries = Promise.all(Array.from({ length: 20 }, () => pool.query('select pg_sleep(0.02)')));
      await waitFor(() => harness.refused(role) >= round);
      await vault.set('db', `round-${round}`, { tags: { user: role } });
      expect(await queries).toHaveLength(20);
      await waitFor(() => pool.rotation.generation === round + 1 && pool.rotation.staleCount === 0);
    }
  });
});
