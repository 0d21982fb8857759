import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startHoldingProxy } from '../support/holding-proxy';
import { type PgHarness, poolHarness, startPgHarness } from '../support/pg-harness';
import { waitFor } from '../support/wait-for';

let harness: PgHarness;
beforeAll(async () => {
  harness = await startPgHarness();
});
afterAll(() => harness.server.stop());

const codeOf = (call: Promise<unknown>) =>
  call.then(
    () => 'done',
    (error: { code?: string }) => error.code ?? error,
  );

describe('end() of a pool', () => {
  it('allows end() to be called again, with promises, with callbacks and from a callback', async () => {
    const role = await harness.role('first');
    const { pool: make } = await poolHarness(harness, role, 'first');
    const pool = make({ max: 1 });
    const client = await pool.connect();
    const again: Promise<void>[] = [];
    const late: unknown[] = [];
    pool.connect((error, _client, release) => {
      again.push(pool.end());
      pool.connect((refused) => late.push(error, refused?.message));
      release();
    });
    const first = pool.end();
    const third = pool.end();
    const called = new Promise<unknown>((resolve) => {
      pool.end((...args: unknown[]) => resolve(args));
    });
    expect(third).toBe(first);
    client.release();
    expect(again).toEqual([first]);
    expect(late).toEqual([undefined, expect.stringContaining('after calling end')]);
    await Promise.all([first, third, ...again]);
    expect(await called).toEqual([]);
    await pool.end();
  });

  it('closes clients at drainTimeoutMs in end() that are never released', async () => {
    const role = await harness.role('first');
    const { pool: make } = await poolHarness(harness, role, 'first');
    const pool = make({}, { drainTimeoutMs: 100 });
    pool.rotation.on('error', () => {});
    const [idle, busy] = await Promise.all([pool.connect(), pool.connect()]);
    const running = codeOf(busy.query('select pg_sleep(60)'));
    await pool.end();
    expect(await running).toBeInstanceOf(Error);
    await waitFor(async () => (await harness.backends(role)) === 0);
    idle.release();
    busy.release();
  });

  it('rejects callers in end() that wait for a newer credential, and stops test logins', async () => {
    const role = await harness.role('first');
    const { pool: make } = await poolHarness(harness, role, 'mistyped');
    const pool = make();
    pool.rotation.on('refused', () => {});
    const waiting = [1, 2, 3].map(() => codeOf(pool.query('select 1')));
    await waitFor(() => harness.refused(role) === 1);
    await waitFor(() => pool.waitingCount === 3);
    await pool.end();
    expect(await Promise.all(waiting)).toEqual(['POOL_CLOSED', 'POOL_CLOSED', 'POOL_CLOSED']);
    await sleep(1200);
    expect(harness.refused(role)).toBe(1);
  });

  it('ends running test logins in end()', async () => {
    const role = await harness.role('first');
    await using proxy = await startHoldingProxy(harness.server);
    const { mount, pool: make } = await poolHarness(harness, role, 'first');
    const verifying = make({ port: proxy.port }, { verifyTimeoutMs: 60_000 });
    proxy.hold();
    await mount.rotate({ password: 'second' });
    await waitFor(() => proxy.held === 1);
    await verifying.end();
    await waitFor(() => proxy.held === 0);

    proxy.release();
    const refused = make({ port: proxy.port }, { verifyTimeoutMs: 60_000 });
    refused.rotation.on('refused', () => proxy.hold());
    const waiting = codeOf(refused.query('select 1'));
    await waitFor(() => proxy.held === 1);
    await refused.end();
    await waitFor(() => proxy.held === 0);
    expect(await waiting).toBe('POOL_CLOSED');
  });

  it('lets a running login serve its caller in end()', async () => {
    const role = await harness.role('first');
    await using proxy = await startHoldingProxy(harness.server);
    const { pool: make } = await poolHarness(harness, role, 'first');
    const pool = make({ port: proxy.port });
    proxy.hold();
    const query = pool.query('select 1 as n');
    await waitFor(() => proxy.held === 1);
    const ended = pool.end();
    proxy.release();
    expect((await query).rows).toEqual([{ n: 1 }]);
    await ended;
  });
});
