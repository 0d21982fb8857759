import { createPool } from 'hot-secrets/pg';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { startHoldingProxy } from '../support/holding-proxy';
import { startLoad } from '../support/load';
import { type PgHarness, poolHarness, poolThroughProxyAtFirst, startPgHarness } from '../support/pg-harness';
import { waitFor } from '../support/wait-for';

let harness: PgHarness;
beforeAll(async () => {
  harness = await startPgHarness();
});
afterAll(() => harness.server.stop());

describe('a rotation of the credential of a pool', () => {
  it('fails no query while two roles alternate under load, and closes old connections', async () => {
    const roles = [await harness.role('of-a'), await harness.role('of-b')] as const;
    const { mount, pool: make } = await poolHarness(harness, roles[0], 'of-a');
    const pool = make({ max: 10 }, { retireOverMs: 200 });
    const load = startLoad(20, () => pool.query('select pg_sleep(0.003)'));
    await waitFor(() => load.done > 200);

    for (const round of [1, 2, 3, 4]) {
      const [user, old] = round % 2 === 1 ? [roles[1], roles[0]] : roles;
      await mount.rotate({ user, password: user === roles[0] ? 'of-a' : 'of-b' });
      await waitFor(async () => (await harness.backends(old)) === 0 && pool.rotation.staleCount === 0);
      expect(await harness.backends(user)).toBeLessThanOrEqual(11);
    }
    const { failures, done } = await load.stop();
    expect(failures).toEqual([]);
    expect(done).toBeGreaterThan(500);
    expect(roles.map(harness.refused)).toEqual([0, 0]);
  });

  it('fails no query of a busy pool and tries few logins while the server is ahead of the file', async () => {
    const role = await harness.role('round-0');
    const { mount, pool: make } = await poolHarness(harness, role, 'round-0');
    const pool = make({ max: 10, maxUses: 5 });
    pool.rotation.on('refused', () => {});
    const load = startLoad(120, () => pool.query('select pg_sleep(0.002)'));
    await waitFor(() => load.done > 300);

    const refusals: number[] = [];
    for (const round of [1, 2, 3]) {
      const before = harness.refused(role);
      await harness.alter(role, `password 'round-${round}'`);
      await waitFor(() => pool.waitingCount >= 100 && harness.refused(role) > before);
      // The file changes only after the pool has tried the old password again.
      const refused = harness.refused(role);
      await waitFor(() => harness.refused(role) > refused);
      await mount.rotate({ password: `round-${round}` });
      await waitFor(() => pool.rotation.generation === round + 1);
      const reached = load.done + 300;
      await waitFor(() => load.done > reached);
      refusals.push(harness.refused(role) - before);
    }
    expect((await load.stop()).failures).toEqual([]);
    for (const count of refusals) expect(count).toBeLessThanOrEqual(10);
  });

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

  it('retires a connection that logs in during the swap, after its caller has used it', async () => {
    const [old, young] = [await harness.role('of-old'), await harness.role('of-young')];
    await using proxy = await startHoldingProxy(harness.server);
    const { mount, secrets } = await poolHarness(harness, old, 'of-old');
    const pool = poolThroughProxyAtFirst(harness, secrets, proxy.port);
    proxy.hold();
    const query = pool.query('select current_user as me');
    await waitFor(() => proxy.held === 1);
    await mount.rotate({ user: young, password: 'of-young' });
    await waitFor(() => pool.rotation.generation === 2);
    proxy.release();
    expect((await query).rows).toEqual([{ me: old }]);
    await waitFor(async () => (await harness.backends(old)) === 0);
    expect((await pool.query('select current_user as me')).rows).toEqual([{ me: young }]);
  });

  it('retries a refused login of the old credential with the new one', async () => {
    const role = await harness.role('first');
    await using proxy = await startHoldingProxy(harness.server);
    const { mount, secrets } = await poolHarness(harness, role, 'first');
    const pool = poolThroughProxyAtFirst(harness, secrets, proxy.port);
    const refused: unknown[] = [];
    pool.rotation.on('refused', (event) => refused.push(event));
    proxy.hold();
    const query = pool.query('select 1 as n');
    await waitFor(() => proxy.held === 1);
    await harness.alter(role, `password 'second'`);
    await mount.rotate({ password: 'second' });
    await waitFor(() => pool.rotation.generation === 2);
    proxy.release();
    expect((await query).rows).toEqual([{ n: 1 }]);
    expect(harness.refused(role)).toBe(1);
    expect(refused).toEqual([]);
  });

  it('lets a transaction finish on its old connection, and retires that on release', async () => {
    const role = await harness.role('first');
    await harness.server.query(`create table kept_${role} (n int); grant all on kept_${role} to ${role}`);
    const { mount, pool: make } = await poolHarness(harness, role, 'first');
    const pool = make();
    const client = await pool.connect();
    await client.query('begin');
    await client.query(`insert into kept_${role} values (1)`);
    await harness.alter(role, `password 'second'`);
    await mount.rotate({ password: 'second' });
    await waitFor(() => pool.rotation.generation === 2);
    await pool.query('select 1');
    expect(pool.rotation.staleCount).toBe(1);

    await client.query(`insert into kept_${role} values (2)`);
    await client.query('commit');
    const drained = new Promise((resolve) => pool.rotation.on('drained', resolve));
    client.release();
    expect(await drained).toMatchObject({ generation: 1, forced: false });
    expect(pool.rotation.staleCount).toBe(0);
    expect((await pool.query(`select n from kept_${role} order by n`)).rows).toEqual([{ n: 1 }, { n: 2 }]);
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
