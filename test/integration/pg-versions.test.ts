import { createRequire } from 'node:module';
import type { PgModule } from 'hot-secrets/pg';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startLoad } from '../support/load';
import { type PgHarness, poolHarness, startPgHarness } from '../support/pg-harness';
import { waitFor } from '../support/wait-for';

const require = createRequire(import.meta.url);
const versions: [string, PgModule][] = [
  ['8.11', require('pg-8-11')],
  ['8.16', require('pg-8-16')],
  ['the newest', pg],
];

let harness: PgHarness;
beforeAll(async () => {
  harness = await startPgHarness();
});
afterAll(() => harness.server.stop());

describe.each(versions)('a pool with pg %s', (_version, module) => {
  it('fails no query while passwords rotate and the server is ahead of the file, and ends cleanly', async () => {
    const role = await harness.role('round-0');
    const { mount, pool: make } = await poolHarness(harness, role, 'round-0');
    const pool = make({ max: 4, maxUses: 20 }, { pg: module });
    expect(pool).toBeInstanceOf(module.Pool);
    pool.rotation.on('refused', () => {});
    const load = startLoad(12, () => pool.query('select pg_sleep(0.002)'));
    await waitFor(() => load.done > 50);

    for (const round of [1, 2, 3]) {
      const refused = harness.refused(role);
      await harness.alter(role, `password 'round-${round}'`);
      // The file changes after the server has refused the old password, in the last round at once.
      if (round < 3) await waitFor(() => harness.refused(role) > refused);
      await mount.rotate({ password: `round-${round}` });
      await waitFor(() => pool.rotation.generation === round + 1 && pool.rotation.staleCount === 0);
    }
    expect((await load.stop()).failures).toEqual([]);

    const held = await Promise.all([1, 2, 3, 4].map(() => pool.connect()));
    const waiting = pool.query('select 1');
    const ended = pool.end();
    for (const client of held) client.release();
    expect((await waiting).rowCount).toBe(1);
    await Promise.all([ended, pool.end()]);
    await waitFor(async () => (await harness.backends(role)) === 0);
  });

  it('closes busy, idle and listening old connections at their deadlines', async () => {
    const role = await harness.role('first');
    const { mount, pool: make } = await poolHarness(harness, role, 'first');
    const deadlines = { drainTimeoutMs: 100, listenDrainTimeoutMs: 100, retireOverMs: 600_000 };
    const pool = make({}, { pg: module, ...deadlines });
    pool.rotation.on('error', () => {});
    const [listener, busy, idle] = await Promise.all([pool.connect(), pool.connect(), pool.connect()]);
    await listener.query('listen news');
    idle.release();
    await harness.alter(role, `password 'second'`);
    await mount.rotate({ password: 'second' });
    await waitFor(() => pool.rotation.generation === 2 && pool.rotation.staleCount === 0);
    await expect(busy.query('select 1')).rejects.toThrow();
    expect((await pool.query('select 1 as n')).rows).toEqual([{ n: 1 }]);
    await pool.end();
    await waitFor(async () => (await harness.backends(role)) === 0);
    listener.release();
    busy.release();
  });
});
