import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { waitFor } from '../../support/wait-for';
import { POOLS, toleratesLosses } from '../support/stage';
import { type Db, type Library, openLibrary } from './database';

const ROWS = 1000;

describe.each(POOLS)('streams and cancellation of Kysely with %s', (name) => {
  let library: Library;
  let db: Db;
  beforeAll(async () => {
    library = await openLibrary(name);
    db = library.db;
    await sql`insert into author (name) select 'author ' || n from generate_series(1, ${ROWS}) as n`.execute(
      db,
    );
  });
  afterAll(() => library.close());

  const authors = () => db.selectFrom('author').select('id').orderBy('id');

  /** An instance whose pool has one connection, so that a connection that is not returned blocks it. */
  function single() {
    const pool = toleratesLosses(library.pool({ max: 1 }));
    return { pool, db: library.kysely(pool) };
  }

  /** Counts the queries with a mark that the server runs now. */
  async function running(mark: string): Promise<number> {
    const { rows } = await library.server.query<{ n: number }>(
      `select count(*)::int as n from pg_stat_activity where state = 'active' and query like $1 and pid <> pg_backend_pid()`,
      [`%/* ${mark} */%`],
    );
    return rows[0]?.n ?? 0;
  }

  const sleeping = (mark: string) => sql`select pg_sleep(${sql.lit(0.5)}) ${sql.raw(`/* ${mark} */`)}`;

  it('streams all rows in chunks, also across rotations', async () => {
    const ids: number[] = [];
    for await (const { id } of authors().stream(100)) {
      ids.push(id);
      if (ids.length % 400 === 0) await library.rotation();
    }
    expect(ids).toHaveLength(ROWS);
    expect(ids).toEqual([...ids].sort((a, b) => a - b));
  });

  it('closes the cursor and returns the connection after an early break and after an error', async () => {
    const { pool, db: own } = single();
    for await (const _author of own.selectFrom('author').selectAll().stream(10)) break;
    const failure = new Error('of the loop');
    const failed = async () => {
      for await (const _author of own.selectFrom('author').selectAll().stream(10)) throw failure;
    };
    await expect(failed()).rejects.toBe(failure);
    const invalid = async () => {
      for await (const _author of own.selectFrom('author').select(sql`1 / (id - id)`.as('n')).stream()) break;
    };
    await expect(invalid()).rejects.toMatchObject({ code: '22012' });
    await sql`select 1`.execute(own);
    await waitFor(() => pool.idleCount === 1 && pool.waitingCount === 0);
  });

  it('streams within a transaction, and what writes return', async () => {
    await db.transaction().execute(async (trx) => {
      let seen = 0;
      for await (const _author of trx.selectFrom('author').selectAll().stream(50)) {
        seen += 1;
        if (seen === 120) break;
      }
      const changed: number[] = [];
      const update = trx
        .updateTable('author')
        .set({ born: 1900 })
        .where('name', 'like', '% 1%')
        .returning('id');
      for await (const { id } of update.stream(7)) changed.push(id);
      expect(changed).toHaveLength(112);
    });
    const { rows } = await sql`select count(*)::int as n from author where born = 1900`.execute(db);
    expect(rows).toEqual([{ n: 112 }]);
  });

  it('runs 20 streams at once on 5 connections', async () => {
    const count = async () => {
      let seen = 0;
      for await (const _author of authors().stream(200)) seen += 1;
      return seen;
    };
    expect(await Promise.all(Array.from({ length: 20 }, count))).toEqual(Array(20).fill(ROWS));
  });

  it('rejects with the reason of a signal that has aborted before the query', async () => {
    const reason = new Error('too late');
    const signal = AbortSignal.abort(reason);
    await expect(authors().execute({ signal })).rejects.toBe(reason);
    const streamed = async () => {
      for await (const _author of authors().stream({ signal, chunkSize: 1 })) break;
    };
    await expect(streamed()).rejects.toBe(reason);
    await expect(db.connection().execute(async () => 'unreachable', { signal })).rejects.toBe(reason);
  });

  it('stops waiting when the signal aborts, and returns the connection once the server has answered', async () => {
    const { pool, db: own } = single();
    const controller = new AbortController();
    const query = sleeping('ignored').execute(own, { signal: controller.signal });
    await waitFor(async () => (await running('ignored')) === 1);
    controller.abort(new Error('stop'));
    await expect(query).rejects.toThrow('stop');
    expect(await running('ignored')).toBe(1);
    expect(pool.idleCount).toBe(0);
    await sql`select 1`.execute(own);
    expect(await running('ignored')).toBe(0);
  });

  it.each(['cancel query', 'kill session'] as const)('ends the query on the server: %s', async (strategy) => {
    const mark = strategy.replace(' ', '-');
    for (let round = 0; round < 3; round += 1) {
      const { pool, db: own } = single();
      await sql`select 1`.execute(own);
      await library.rotation();
      const controller = new AbortController();
      const started = performance.now();
      // Kysely logs in to end the query, and does not try again if the server refuses the old password.
      await library.steady(async () => {
        const query = sql`select pg_sleep(30) ${sql.raw(`/* ${mark} */`)}`.execute(own, {
          signal: controller.signal,
          inflightQueryAbortStrategy: strategy,
        });
        await waitFor(async () => (await running(mark)) === 1);
        controller.abort(new Error('stop'));
        await expect(query).rejects.toThrow('stop');
        await waitFor(async () => (await running(mark)) === 0);
      });
      expect(performance.now() - started).toBeLessThan(20_000);
      // pg may notice the end of the session after Kysely has returned the connection.
      await waitFor(async () => (await sql`select 1`.execute(own)).rows.length === 1);
      // The client that sent the cancellation is not one of the pool.
      await waitFor(() => pool.totalCount === 1);
      await own.destroy();
    }
  });

  it('gives a connection that arrives after the abort to the next caller', async () => {
    const { pool, db: own } = single();
    const client = await pool.connect();
    const controller = new AbortController();
    const waiting = sql`select 1`.execute(own, { signal: controller.signal });
    await waitFor(() => pool.waitingCount === 1);
    controller.abort(new Error('stop'));
    await expect(waiting).rejects.toThrow('stop');
    client.release();
    expect((await sql`select 2 as n`.execute(own)).rows).toEqual([{ n: 2 }]);
    await waitFor(() => pool.idleCount === 1 && pool.waitingCount === 0);
  });
});
