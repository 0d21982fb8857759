import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startHoldingProxy } from '../support/holding-proxy';
import { startLoad } from '../support/load';
import { type PgHarness, poolHarness, poolThroughProxyAtFirst, startPgHarness } from '../support/pg-harness';
import { waitFor } from '../support/wait-for';

let harness: PgHarness;
const uncaught: unknown[] = [];
const note = (error: unknown) => uncaught.push(error);
beforeAll(async () => {
  process.on('uncaughtExceptionMonitor', note);
  harness = await startPgHarness();
});
afterAll(async () => {
  process.off('uncaughtExceptionMonitor', note);
  await harness.server.stop();
});
afterEach(() => {
  expect(uncaught).toEqual([]);
});

const kill = (role: string) =>
  harness.server.query('select pg_terminate_backend(pid) from pg_stat_activity where usename = $1', [role]);

describe('the old connections of a pool', () => {
  it('closes old connections at drainTimeoutMs that stay checked out', async () => {
    const role = await harness.role('first');
    const { mount, pool: make } = await poolHarness(harness, role, 'first');
    const pool = make({}, { drainTimeoutMs: 150 });
    const errors: unknown[] = [];
    const drained: unknown[] = [];
    pool.rotation.on('error', ({ code }) => errors.push(code));
    pool.rotation.on('drained', (event) => drained.push(event));
    const [busy, quiet] = await Promise.all([pool.connect(), pool.connect()]);
    const running = busy.query('select pg_sleep(60)').catch((error: unknown) => error);
    await harness.alter(role, `password 'second'`);
    await mount.rotate({ password: 'second' });

    await waitFor(() => drained.length === 1);
    expect(errors).toEqual(['DRAIN_TIMEOUT']);
    expect(drained).toEqual([expect.objectContaining({ generation: 1, forced: true })]);
    expect(await running).toBeInstanceOf(Error);
    await expect(quiet.query('select 1')).rejects.toThrow();
    busy.release();
    quiet.release();
    await waitFor(async () => (await harness.backends(role)) === 0);
    expect(pool.totalCount).toBe(0);
    await pool.query('select 1');
  });

  it('gives no caller an old connection after drainTimeoutMs', async () => {
    const role = await harness.role('first');
    const { mount, pool: make } = await poolHarness(harness, role, 'first');
    const pool = make({ max: 5 }, { drainTimeoutMs: 60, retireOverMs: 600_000 });
    pool.rotation.on('error', () => {});
    const clients = await Promise.all(Array.from({ length: 5 }, () => pool.connect()));
    for (const client of clients) client.release();
    const load = startLoad(1, () => pool.query('select 1'));
    let removed = 0;
    pool.on('remove', () => {
      removed += 1;
    });
    await harness.alter(role, `password 'second'`);
    await mount.rotate({ password: 'second' });
    await waitFor(() => removed >= 4);
    const reached = load.done + 20;
    await waitFor(() => load.done > reached);
    const { failures } = await load.stop();
    // The deadline may end one running query.
    expect(failures.length).toBeLessThanOrEqual(1);
    await Promise.all(Array.from({ length: 5 }, () => pool.query('select 1')));
    expect(pool.rotation.staleCount).toBe(0);
  });

  it('abandons an old login at drainTimeoutMs, and serves its caller with the new credential', async () => {
    const role = await harness.role('first');
    await using proxy = await startHoldingProxy(harness.server);
    const { mount, secrets } = await poolHarness(harness, role, 'first');
    const pool = poolThroughProxyAtFirst(harness, secrets, proxy.port, { max: 1 }, { drainTimeoutMs: 100 });
    pool.rotation.on('error', () => {});
    proxy.hold();
    const stuck = pool.query('select 1 as n');
    const next = pool.query('select 2 as n');
    await waitFor(() => proxy.held === 1);
    await harness.alter(role, `password 'second'`);
    await mount.rotate({ password: 'second' });
    expect((await stuck).rows).toEqual([{ n: 1 }]);
    expect((await next).rows).toEqual([{ n: 2 }]);
    expect([proxy.held, pool.totalCount, pool.rotation.staleCount]).toEqual([0, 1, 0]);
  });

  it('keeps and counts an old connection that has executed LISTEN', async () => {
    const role = await harness.role('first');
    const { mount, pool: make } = await poolHarness(harness, role, 'first');
    const pool = make({}, { drainTimeoutMs: 50 });
    const errors: unknown[] = [];
    pool.rotation.on('error', (error) => errors.push(error));
    const listener = await pool.connect();
    await listener.query('LISTEN news');
    const heard: unknown[] = [];
    listener.on('notification', ({ payload }) => heard.push(payload));
    const drained = new Promise((resolve) => pool.rotation.on('drained', resolve));
    await harness.alter(role, `password 'second'`);
    await mount.rotate({ password: 'second' });

    expect(await drained).toMatchObject({ generation: 1, forced: false });
    expect(pool.rotation).toMatchObject({ staleCount: 1, listeningCount: 1 });
    await pool.query(`notify news, 'still here'`);
    await waitFor(() => heard.length === 1);
    expect(errors).toEqual([]);
    listener.release();
    await waitFor(() => pool.rotation.staleCount === 0);
  });

  it('completes the drain when an old connection executes LISTEN after the swap', async () => {
    const role = await harness.role('first');
    const { mount, pool: make } = await poolHarness(harness, role, 'first');
    const pool = make();
    const client = await pool.connect();
    const drained: unknown[] = [];
    pool.rotation.on('drained', (event) => drained.push(event));
    await harness.alter(role, `password 'second'`);
    await mount.rotate({ password: 'second' });
    await waitFor(() => pool.rotation.staleCount === 1);
    expect(drained).toEqual([]);
    await client.query('listen news');
    await waitFor(() => drained.length === 1);
    client.release();
  });

  it('closes a listening old connection at listenDrainTimeoutMs', async () => {
    const role = await harness.role('first');
    const { mount, pool: make } = await poolHarness(harness, role, 'first');
    const pool = make({}, { listenDrainTimeoutMs: 100 });
    const [listener, busy] = await Promise.all([pool.connect(), pool.connect()]);
    await listener.query('listen news');
    const ended = new Promise<void>((resolve) => listener.once('end', resolve));
    await harness.alter(role, `password 'second'`);
    await mount.rotate({ password: 'second' });
    await ended;
    expect(pool.rotation).toMatchObject({ staleCount: 1, listeningCount: 0 });
    expect((await busy.query('select 1 as n')).rows).toEqual([{ n: 1 }]);
    listener.release();
    busy.release();
  });

  it('emits no error when the server ends an idle old connection, but one for a current connection', async () => {
    const [old, young] = [await harness.role('of-old'), await harness.role('of-young')];
    const { mount, pool: make } = await poolHarness(harness, old, 'of-old');
    const pool = make({}, { retireOverMs: 600_000 });
    const errors: unknown[] = [];
    pool.on('error', (error) => errors.push(error));
    await Promise.all([1, 2, 3].map(() => pool.query('select pg_sleep(0.01)')));
    await mount.rotate({ user: young, password: 'of-young' });
    await waitFor(() => pool.rotation.generation === 2);
    await kill(old);
    await waitFor(() => pool.rotation.staleCount === 0 && pool.totalCount === 0);
    expect(errors).toEqual([]);
    await pool.query('select 1');
    await kill(young);
    await waitFor(() => errors.length === 1);
  });
});
