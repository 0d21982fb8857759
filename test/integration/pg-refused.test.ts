import type { SecretsError } from 'hot-secrets';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { observedOf } from '../../src/observe/observed';
import { startHoldingProxy } from '../support/holding-proxy';
import { type PgHarness, poolHarness, startPgHarness } from '../support/pg-harness';
import { waitFor } from '../support/wait-for';

const SLACK_MS = 250;

let harness: PgHarness;
beforeAll(async () => {
  harness = await startPgHarness();
});
afterAll(() => harness.server.stop());

/** The error of a call that must fail, and how long the call took. */
async function failure(call: Promise<unknown>): Promise<{ code: unknown; message: string; ms: number }> {
  const startedAt = performance.now();
  const error = await call.then(
    () => {
      throw new Error('The call did not fail.');
    },
    (thrown: { code?: unknown; message: string }) => thrown,
  );
  return { code: error.code, message: error.message, ms: performance.now() - startedAt };
}

describe('a pool whose credential is refused', () => {
  it('rejects callers with the refusal after authFailureWaitMs, and later callers at once', async () => {
    const role = await harness.role('first');
    const { pool: make } = await poolHarness(harness, role, 'mistyped');
    const pool = make({ max: 5 }, { authFailureWaitMs: 400 });
    pool.rotation.on('refused', () => {});
    const failures = await Promise.all(Array.from({ length: 30 }, () => failure(pool.query('select 1'))));
    for (const { code, ms } of failures) {
      expect(code).toBe('28P01');
      expect(ms).toBeGreaterThanOrEqual(390);
      expect(ms).toBeLessThan(400 + SLACK_MS);
    }
    expect(harness.refused(role)).toBeLessThanOrEqual(2);

    // After a long refusal without an open connection, there is nothing to wait for.
    const late = await failure(pool.query('select 1'));
    expect(late.code).toBe('28P01');
    expect(late.ms).toBeLessThan(SLACK_MS);
    expect(pool.waitingCount).toBe(0);
  });

  it('rejects callers after authFailureWaitMs while the only open connection stays checked out', async () => {
    const role = await harness.role('first');
    const { pool: make } = await poolHarness(harness, role, 'first');
    const pool = make({}, { authFailureWaitMs: 300 });
    pool.rotation.on('refused', () => {});
    const listener = await pool.connect();
    await listener.query('listen news');
    await harness.alter(role, `password 'second'`);
    for (const round of ['first', 'again']) {
      const { code, ms } = await failure(pool.query('select 1'));
      expect([round, code]).toEqual([round, '28P01']);
      expect(ms).toBeGreaterThanOrEqual(290);
      expect(ms).toBeLessThan(300 + SLACK_MS);
    }
    expect((await listener.query('select 1 as n')).rows).toEqual([{ n: 1 }]);
    listener.release();
    // The released connection serves the next caller.
    expect((await pool.query('select 2 as n')).rows).toEqual([{ n: 2 }]);
  });

  it('rejects callers after connectionTimeoutMillis when that is shorter than authFailureWaitMs', async () => {
    const role = await harness.role('first');
    const { pool: make } = await poolHarness(harness, role, 'mistyped');
    const pool = make({ connectionTimeoutMillis: 300 }, { authFailureWaitMs: 20_000 });
    pool.rotation.on('refused', () => {});
    const failures = await Promise.all([1, 2, 3].map(() => failure(pool.query('select 1'))));
    for (const { code, message, ms } of failures) {
      expect(code === '28P01' || message.includes('timeout')).toBe(true);
      expect(ms).toBeLessThan(300 + SLACK_MS);
    }
  });

  it('reports a refusal to the store with the name of the pool, without a process warning', async () => {
    const role = await harness.role('first');
    const { secrets, pool: make } = await poolHarness(harness, role, 'mistyped');
    const reported: SecretsError[] = [];
    Object.defineProperty(observedOf(secrets), 'tellError', {
      value: (error: SecretsError) => reported.push(error) > 0,
    });
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    onTestFinished(() => warn.mockRestore());
    const pool = make({}, { name: 'orders', authFailureWaitMs: 100 });
    await failure(pool.query('select 1'));
    expect(reported.map(({ code, resource }) => [code, resource])).toEqual([
      ['CREDENTIAL_REFUSED', 'orders'],
    ]);
    expect(warn).not.toHaveBeenCalled();
  });

  it('serves waiting callers once the server accepts the same credential again', async () => {
    const role = await harness.role('first');
    const { pool: make } = await poolHarness(harness, role, 'first');
    const pool = make();
    const events: unknown[] = [];
    pool.rotation.on('refused', ({ error }) => events.push(error.message));
    pool.rotation.on('accepted', () => events.push('accepted'));
    await harness.alter(role, 'nologin');
    const queries = Promise.all([1, 2, 3].map(() => pool.query('select 1')));
    await waitFor(() => events.length === 1);
    expect(events[0]).toContain('28000');
    await harness.alter(role, 'login');
    expect(await queries).toHaveLength(3);
    expect(events.slice(1)).toEqual(['accepted']);
    await pool.query('select 1');
  });

  it('serves waiting callers after a test login without an answer', async () => {
    const role = await harness.role('first');
    await using proxy = await startHoldingProxy(harness.server);
    const { pool: make } = await poolHarness(harness, role, 'first');
    const pool = make({ port: proxy.port }, { verifyTimeoutMs: 100, authFailureWaitMs: 60_000 });
    pool.rotation.on('refused', () => {});
    const client = await pool.connect();
    await harness.alter(role, 'nologin');
    const query = pool.query('select 1 as n');
    await waitFor(() => harness.refused(role) === 1);
    proxy.hold();
    await waitFor(() => proxy.held === 1);
    await waitFor(() => proxy.held === 0);
    await harness.alter(role, 'login');
    proxy.release();
    expect((await query).rows).toEqual([{ n: 1 }]);
    client.release();
  });

  it('rejects callers after two seconds while no login has ever succeeded', async () => {
    const { pool: make } = await poolHarness(harness, await harness.role('right'), 'wrong');
    const pool = make();
    const refused: unknown[] = [];
    pool.rotation.on('refused', ({ error }) => refused.push(error.code));
    const start = performance.now();
    await expect(pool.query('select 1')).rejects.toMatchObject({ code: '28P01' });
    expect(performance.now() - start).toBeLessThan(5_000);
    expect(refused).toEqual(['CREDENTIAL_REFUSED']);
  });
});

describe('a pool whose server does not answer', () => {
  it('starts a login for each caller while the server does not answer', async () => {
    const role = await harness.role('first');
    await using proxy = await startHoldingProxy(harness.server);
    const { pool: make } = await poolHarness(harness, role, 'first');
    const pool = make({ port: proxy.port, max: 10 });
    proxy.hold();
    const queries = Promise.all(Array.from({ length: 10 }, () => pool.query('select 1')));
    await waitFor(() => proxy.held === 10);
    proxy.release();
    expect(await queries).toHaveLength(10);
  });

  it('rejects every waiting caller with ECONNREFUSED while the server is down', async () => {
    const role = await harness.role('first');
    const { pool: make } = await poolHarness(harness, role, 'first');
    const pool = make({ port: 1, max: 3 });
    const failures = await Promise.all(Array.from({ length: 30 }, () => failure(pool.query('select 1'))));
    expect(new Set(failures.map(({ code }) => code))).toEqual(new Set(['ECONNREFUSED']));
    expect(pool.totalCount).toBe(0);
  });
});
