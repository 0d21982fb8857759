import { createPool } from 'hot-secrets/pg';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { startLoad } from '../support/load';
import { type PgHarness, poolHarness, startPgHarness } from '../support/pg-harness';
import { waitFor } from '../support/wait-for';

let harness: PgHarness;
beforeAll(async () => {
  harness = await startPgHarness();
});
afterAll(() => harness.server.stop());

describe('a rotation of the credential of a pool', () => {
  it('fails no query of a burst without connections and tries few logins while the server is ahead of the file', async () => {
    const role = await harness.role('first');
    const { mount, pool: make } = await poolHarness(harness, role, 'first');
    const pool = make({ max: 20 });
    const refused: unknown[] = [];
    const accepted: unknown[] = [];
    pool.rotation.on('refused', (event) => refused.push(event));
    pool.rotation.on('accepted', (event) => accepted.push(event));
    await harness.alter(role, `password 'second'`);
    const queries = Promise.all(Array.from({ length: 150 }, () => pool.query('select 1')));
    await waitFor(() => harness.refused(role) > 0);
    await mount.rotate({ password: 'second' });
    expect(await queries).toHaveLength(150);
    expect(harness.refused(role)).toBeLessThanOrEqual(10);
    expect(refused).toEqual([
      expect.objectContaining({
        name: 'pool',
        generation: 1,
        waiting: 150,
        error: expect.objectContaining({ code: 'CREDENTIAL_REFUSED' }),
      }),
    ]);
    expect(accepted).toEqual([{ name: 'pool', generation: 2, waitedMs: expect.any(Number) }]);
  });

  it('keeps the old password while the file is ahead, and swaps once the server refuses the old one', async () => {
    const role = await harness.role('first');
    const { mount, pool: make } = await poolHarness(harness, role, 'first');
    const pool = make({ max: 4, maxUses: 3 }, { retryBaseMs: 600_000, retryMaxMs: 600_000 });
    const rejected: unknown[] = [];
    pool.rotation.on('rejected', ({ error }) => rejected.push(error.code));
    pool.rotation.on('refused', () => {});
    const load = startLoad(10, () => pool.query('select pg_sleep(0.002)'));
    await mount.rotate({ password: 'second' });
    await waitFor(() => rejected.length === 1);
    const reached = load.done + 100;
    await waitFor(() => load.done > reached);

    await harness.alter(role, `password 'second'`);
    await waitFor(() => pool.rotation.generation === 2);
    expect((await load.stop()).failures).toEqual([]);
    expect(rejected).toEqual(['CREDENTIAL_REFUSED']);
  });

  it('keeps the old password while the server refuses the new one, reports it once, and then uses a valid one', async () => {
    const role = await harness.role('first');
    const { mount, pool: make } = await poolHarness(harness, role, 'first');
    const pool = make({}, { retryBaseMs: 10, retryMaxMs: 20 });
    const rejected: unknown[] = [];
    pool.rotation.on('rejected', ({ generation, error }) => rejected.push([generation, error.code]));
    const load = startLoad(5, () => pool.query('select pg_sleep(0.002)'));
    await mount.rotate({ password: 'mistyped' });
    await waitFor(() => harness.refused(role) >= 3);
    expect(rejected).toEqual([[2, 'CREDENTIAL_REFUSED']]);
    expect(pool.rotation).toMatchObject({ generation: 1, staleCount: 0 });

    await harness.alter(role, `password 'second'`);
    await mount.rotate({ password: 'second' });
    await waitFor(() => pool.rotation.generation === 3);
    expect((await load.stop()).failures).toEqual([]);
    expect(rejected).toHaveLength(1);
  });

  it('follows rotations in a connectionString, and prefers separate settings to it', async () => {
    const [first, second] = [await harness.role('p@ss 1'), await harness.role('p@ss 2')];
    const { mount, secrets } = await poolHarness(harness, first, 'p@ss 1');
    const { host, port, database } = harness.server;
    const url = (user: string, password: string) =>
      `postgres://${user}:${encodeURIComponent(password)}@${host}:${port}/${database}?application_name=strung`;
    const alone = createPool(
      secrets,
      (s) => ({ connectionString: url(s.reveal('user'), s.reveal('password')) }),
      { retireOverMs: 50 },
    );
    const mixed = createPool(
      secrets,
      (s) => ({
        connectionString: url('nobody', 'unused'),
        user: s.reveal('user'),
        password: s.reveal('password'),
      }),
      { retireOverMs: 50 },
    );
    onTestFinished(() => void Promise.all([alone.end(), mixed.end()]));
    const who = `select current_user as me, current_setting('application_name') as app`;
    for (const pool of [alone, mixed]) {
      expect((await pool.query(who)).rows).toEqual([{ me: first, app: 'strung' }]);
    }
    await mount.rotate({ user: second, password: 'p@ss 2' });
    for (const pool of [alone, mixed]) {
      await waitFor(() => pool.rotation.generation === 2 && pool.rotation.staleCount === 0);
      expect((await pool.query(who)).rows).toEqual([{ me: second, app: 'strung' }]);
      expect(JSON.stringify(pool.options)).not.toContain('p@ss');
    }
  });
});
