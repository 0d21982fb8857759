import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';
import { createPool } from 'hot-secrets/pg';
import pg from 'pg';
import Cursor from 'pg-cursor';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { childFile } from '../support/child-file';
import { type PgHarness, poolHarness, startPgHarness } from '../support/pg-harness';
import { waitFor } from '../support/wait-for';

const CHILD = fileURLToPath(new URL('../support/pg-exit-child.ts', import.meta.url));

let harness: PgHarness;
beforeAll(async () => {
  harness = await startPgHarness();
});
afterAll(() => harness.server.stop());

describe('the pool of createPool()', () => {
  it('returns a pg.Pool with promises and callbacks', async () => {
    const role = await harness.role('first');
    const pool = (await poolHarness(harness, role, 'first')).pool();
    expect(pool).toBeInstanceOf(pg.Pool);
    expect(pool.constructor.name).toContain('Pool');

    const { rows } = await pool.query('select $1::int as n', [1]);
    expect(rows).toEqual([{ n: 1 }]);
    const client = await pool.connect();
    expect((await client.query({ text: 'select 2 as n' })).rows).toEqual([{ n: 2 }]);
    client.release();

    const called = await new Promise((resolve) => {
      pool.query('select 3 as n', (error, result) => resolve([error, result.rows]));
    });
    expect(called).toEqual([undefined, [{ n: 3 }]]);
    const borrowed = await new Promise((resolve) => {
      pool.connect((error, checkedOut, release) => {
        checkedOut?.query('select current_user as me', (_error, result) => {
          release();
          resolve([error, result.rows]);
        });
      });
    });
    expect(borrowed).toEqual([undefined, [{ me: role }]]);
    await new Promise<void>((resolve) => {
      pool.end(resolve);
    });
    expect(pool.ended).toBe(true);
  });

  it('returns undefined from end() with a callback, whose error is not a rejection', async () => {
    const role = await harness.role('first');
    const { pool: make } = await poolHarness(harness, role, 'first');
    const pool = make();
    await pool.query('select 1');
    const thrown: unknown[] = [];
    const rejected: unknown[] = [];
    const note = (error: unknown, origin: string) =>
      (origin === 'unhandledRejection' ? rejected : thrown).push(error);
    const before = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    process.on('uncaughtException', note);
    try {
      const failure = new Error('of the callback');
      const result: unknown = pool.end(() => {
        throw failure;
      });
      expect(result).toBeUndefined();
      await waitFor(() => thrown.length + rejected.length > 0);
      expect([thrown, rejected]).toEqual([[failure], []]);
    } finally {
      process.off('uncaughtException', note);
      for (const listener of before) process.on('uncaughtException', listener);
    }
    // Every further end() answers in its own form.
    expect(pool.end()).toBeInstanceOf(Promise);
    await new Promise<void>((resolve) => {
      expect(pool.end(resolve) as unknown).toBeUndefined();
    });
  });

  it('returns the class of promises that the recipe names from every method', async () => {
    class OwnPromise<T> extends Promise<T> {}
    const role = await harness.role('first');
    const pool = (await poolHarness(harness, role, 'first')).pool({ Promise: OwnPromise } as never);
    const returned: unknown[] = [pool.query('select 1'), pool.connect().then((one) => one.release())];
    await Promise.all(returned);
    returned.push(pool.end(), pool.end());
    await Promise.all(returned);
    for (const one of returned) expect(one).toBeInstanceOf(OwnPromise);
  });

  it('shows the Client of pg or of the recipe, whose own clients are not part of the pool', async () => {
    const role = await harness.role('first');
    const { mount, pool: make } = await poolHarness(harness, role, 'first');
    class OwnClient extends pg.Client {}
    for (const [pool, Client] of [
      [make({ max: 1 }), pg.Client],
      [make({ max: 1, Client: OwnClient as never }), OwnClient],
    ] as const) {
      const shown = pool as typeof pool & { Client: typeof pg.Client };
      expect(shown.Client).toBe(Client);
      await pool.query('select 1');
      expect(shown.Client).toBe(Client);
      // As Kysely makes one, to cancel a query.
      const own = new shown.Client({ ...pool.options, password: pool.options.password as string });
      await own.connect();
      expect((await own.query('select current_user as me')).rows).toEqual([{ me: role }]);
      expect([pool.totalCount, pool.rotation.staleCount]).toEqual([1, 0]);
      const elsewhere = new shown.Client({ ...pool.options, password: 'wrong' });
      await expect(elsewhere.connect()).rejects.toMatchObject({ code: '28P01' });
      await pool.query('select 1');
      await own.end();
    }
    const pool = make({ max: 1 });
    const { Client } = pool as typeof pool & { readonly Client: typeof pg.Client };
    const own = new Client({ ...pool.options, password: pool.options.password as string });
    await own.connect();
    await harness.alter(role, `password 'second'`);
    await mount.rotate({ password: 'second' });
    await waitFor(() => pool.options.password === 'second');
    await pool.query('select 1');
    expect(pool.rotation.staleCount).toBe(0);
    await own.query('select 1');
    await own.end();
  });

  it('streams rows through pg-cursor', async () => {
    const role = await harness.role('first');
    const pool = (await poolHarness(harness, role, 'first')).pool();
    const client = await pool.connect();
    const cursor = client.query(new Cursor('select * from generate_series(1, 5) as n'));
    expect(await cursor.read(3)).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }]);
    expect(await cursor.read(3)).toEqual([{ n: 4 }, { n: 5 }]);
    await cursor.close();
    client.release();
  });

  it('emits the events and has the counts of a pg.Pool', async () => {
    const role = await harness.role('first');
    const { mount, pool: make } = await poolHarness(harness, role, 'first');
    const pool = make({ max: 3 });
    const seen: Record<string, number> = {};
    for (const event of ['connect', 'acquire', 'release', 'remove'] as const) {
      pool.on(event as 'connect', () => {
        seen[event] = (seen[event] ?? 0) + 1;
      });
    }
    const clients = await Promise.all([pool.connect(), pool.connect(), pool.connect()]);
    const waiting = pool.query('select 1');
    expect([pool.totalCount, pool.idleCount, pool.waitingCount]).toEqual([3, 0, 1]);
    for (const client of clients) client.release();
    await waiting;
    await waitFor(() => pool.idleCount === 3);
    expect(seen).toEqual({ connect: 3, acquire: 4, release: 4 });

    await harness.alter(role, `password 'second'`);
    await mount.rotate({ password: 'second' });
    await waitFor(() => seen.remove === 3 && pool.idleCount === 3);
    expect([pool.totalCount, pool.waitingCount, pool.rotation.staleCount]).toEqual([3, 0, 0]);
  });

  it('shows the current user in pool.options, and prints no password', async () => {
    const [first, second] = [await harness.role('fictitious-a'), await harness.role('fictitious-b')];
    const { mount, pool: make } = await poolHarness(harness, first, 'fictitious-a');
    const pool = make();
    await pool.query('select 1');
    await mount.rotate({ user: second, password: 'fictitious-b' });
    await waitFor(() => pool.options.user === second);
    expect(pool.options).toMatchObject({ host: harness.server.host, max: 10 });
    expect(pool.options.password).toBe('fictitious-b');
    const client = await pool.connect();
    for (const shown of [pool, pool.options, pool.rotation, client]) {
      expect(inspect(shown, { depth: 12, getters: true })).not.toContain('fictitious');
    }
    expect(JSON.stringify([pool.options, pool.rotation])).not.toContain('fictitious');
    client.release();
  });

  it('rejects with the errors of the server unchanged', async () => {
    const role = await harness.role('first');
    const pool = (await poolHarness(harness, role, 'first')).pool();
    const error = await pool.query('selec 1').catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(pg.DatabaseError);
    expect(error).toMatchObject({ code: '42601', position: '1' });
  });

  it('rejects at once with login errors that are not refusals', async () => {
    const role = await harness.role('first');
    const { pool: make } = await poolHarness(harness, role, 'first');
    await expect(make({ database: 'missing' }).query('select 1')).rejects.toMatchObject({ code: '3D000' });
    // pg throws this in connect(), and loses a slot of the pool each time.
    const impossible = make({ port: 99_999, max: 1 });
    for (let call = 0; call < 3; call += 1) {
      await expect(impossible.query('select 1')).rejects.toMatchObject({ code: 'ERR_SOCKET_BAD_PORT' });
    }
    await impossible.end();
  });

  it('opens no connection when a secret rotates that the pool does not use', async () => {
    const role = await harness.role('first');
    const { mount, secrets, pool: make } = await poolHarness(harness, role, 'first');
    const pool = make();
    await pool.query('select 1');
    await waitFor(() => harness.accepted(role) === 1);
    for (const round of [1, 2, 3]) {
      await mount.rotate({ other: `changed ${round}` });
      await secrets.refresh();
    }
    expect(secrets.generation).toBeGreaterThan(1);
    await pool.query('select 1');
    expect(harness.accepted(role)).toBe(1);
    expect(pool.rotation).toMatchObject({ generation: 1, staleCount: 0, listeningCount: 0 });
  });

  it('emits an error when the server ends an idle connection, as pg does', async () => {
    const role = await harness.role('first');
    const pool = (await poolHarness(harness, role, 'first')).pool();
    await pool.query('select 1');
    const died = once(pool, 'error');
    await harness.server.query('select pg_terminate_backend(pid) from pg_stat_activity where usename = $1', [
      role,
    ]);
    expect((await died)[0]).toMatchObject({ code: '57P01' });
    await pool.query('select 1');
  });

  it('lets a process exit that never ends its pool, with allowExitOnIdle', async () => {
    const role = await harness.role('first');
    const { mount } = await poolHarness(harness, role, 'first');
    const { host, port, database } = harness.server;
    const child = spawn(
      process.execPath,
      [childFile(CHILD), mount.path, JSON.stringify({ host, port, database })],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    let output = '';
    child.stdout.on('data', (chunk) => {
      output += chunk;
    });
    const [status] = await once(child, 'close');
    expect([status, output]).toEqual([0, 'done\n']);
  });
});

describe('the arguments of createPool()', () => {
  it('rejects with the error of onConnect, even if it has the code of a refusal', async () => {
    const role = await harness.role('first');
    const failure = Object.assign(new Error('hook'), { code: '28P01' });
    const onConnect = () => Promise.reject(failure);
    const pool = (await poolHarness(harness, role, 'first')).pool({ onConnect, max: 1 } as never);
    for (const _call of [1, 2]) await expect(pool.query('select 1')).rejects.toBe(failure);
    expect([pool.totalCount, pool.waitingCount]).toEqual([0, 0]);
  });

  it('uses the given pg module', async () => {
    const role = await harness.role('first');
    class OwnPool extends pg.Pool {}
    const pool = (await poolHarness(harness, role, 'first')).pool(
      {},
      { pg: { Pool: OwnPool, Client: pg.Client } },
    );
    expect(pool).toBeInstanceOf(OwnPool);
    await pool.query('select 1');
  });

  it('refuses a pg module whose Pool lacks needed internals', async () => {
    const { pool: make } = await poolHarness(harness, await harness.role('first'), 'first');
    class OtherPool {}
    expect(() => make({}, { pg: { Pool: OtherPool, Client: pg.Client } as never })).toThrow(
      expect.objectContaining({ code: 'PEER_UNSUPPORTED', what: expect.stringContaining('_pulseQueue') }),
    );
  });

  it('refuses unknown and invalid options of createPool', async () => {
    const { secrets } = await poolHarness(harness, await harness.role('first'), 'first');
    expect(() => createPool(secrets, () => ({}), { authFailureWait: 1 } as never)).toThrow(
      expect.objectContaining({ code: 'OPTION_UNKNOWN', next: 'Did you mean "authFailureWaitMs"?' }),
    );
    expect(() => createPool(secrets, () => ({}), { retireOverMs: '1s' } as never)).toThrow(
      expect.objectContaining({ code: 'OPTION_INVALID' }),
    );
  });

  it('accepts undefined options of createPool as their defaults', async () => {
    const { secrets } = await poolHarness(harness, await harness.role('first'), 'first');
    const none = { name: undefined, verifyTimeoutMs: undefined, retireOverMs: undefined, pg: undefined };
    const pool = createPool(
      secrets,
      (s) => ({ host: '127.0.0.1', port: 1, user: s.reveal('user') }),
      none as never,
    );
    const waiting = new Promise((resolve) => pool.connect(resolve));
    await pool.end();
    expect(await waiting).toMatchObject({ code: 'ECONNREFUSED' });
  });
});
