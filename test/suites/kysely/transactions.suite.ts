import { sql } from 'kysely';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { waitFor } from '../../support/wait-for';
import { POOLS, toleratesLosses } from '../support/stage';
import { type Db, type Library, openLibrary } from './database';

const codeOf = (call: Promise<unknown>) =>
  call.then(
    () => 'done',
    (error: { code?: string }) => error.code ?? error,
  );

async function sessionOf(db: Db): Promise<number> {
  const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(db);
  return rows[0]?.pid ?? 0;
}

describe.each(POOLS)('transactions of Kysely with %s', (name) => {
  let library: Library;
  let db: Db;
  beforeAll(async () => {
    library = await openLibrary(name);
    db = library.db;
  });
  beforeEach(() => library.fill());
  afterAll(() => library.close());

  const names = async () =>
    (await db.selectFrom('author').select('name').orderBy('name').execute()).map((author) => author.name);
  const add = (to: Db, author: string) => to.insertInto('author').values({ name: author }).execute();

  it('commits what the callback did, and nothing of a callback that throws', async () => {
    expect(
      await db.transaction().execute(async (trx) => {
        await add(trx, 'Edsger');
        expect(await names()).toEqual(['Ada', 'Grace']);
        return 'result';
      }),
    ).toBe('result');
    const failure = new Error('of the callback');
    const failed = db.transaction().execute(async (trx) => {
      await add(trx, 'Niklaus');
      throw failure;
    });
    await expect(failed).rejects.toBe(failure);
    expect(await names()).toEqual(['Ada', 'Edsger', 'Grace']);
  });

  it('rejects with the error of the server and leaves a usable connection', async () => {
    const error = await db
      .transaction()
      .execute((trx) => add(trx, 'Ada'))
      .catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(pg.DatabaseError);
    expect(error).toMatchObject({ code: '23505', constraint: 'author_name_key' });
    expect((error as Error).stack).toContain('transactions.suite.ts');
    // The server answers a commit of an aborted transaction with a rollback.
    const swallowed = db.transaction().execute(async (trx) => {
      await add(trx, 'Edsger');
      await add(trx, 'Ada').catch(() => {});
    });
    await expect(swallowed).rejects.toThrow('rolled back');
    expect(await names()).toEqual(['Ada', 'Grace']);
  });

  it.each(['read uncommitted', 'read committed', 'repeatable read', 'serializable'] as const)(
    'runs a transaction as %s',
    async (level) => {
      const shown = await db
        .transaction()
        .setIsolationLevel(level)
        .execute((trx) => sql`show transaction_isolation`.execute(trx));
      expect(shown.rows).toEqual([{ transaction_isolation: level }]);
      const { rows } = await sql`show transaction_isolation`.execute(db);
      expect(rows).toEqual([{ transaction_isolation: 'read committed' }]);
    },
  );

  it('refuses to write in a transaction that only reads', async () => {
    const readOnly = db.transaction().setAccessMode('read only');
    expect(await codeOf(readOnly.execute((trx) => add(trx, 'Edsger')))).toBe('25006');
    await db
      .transaction()
      .setAccessMode('read write')
      .execute((trx) => add(trx, 'Edsger'));
    expect(await names()).toContain('Edsger');
  });

  it('fails one of two serializable transactions that contradict each other', async () => {
    let arrived = 0;
    const raise = (own: string, other: string) =>
      db
        .transaction()
        .setIsolationLevel('serializable')
        .execute(async (trx) => {
          await trx.selectFrom('author').select('born').where('name', '=', other).execute();
          arrived += 1;
          await waitFor(() => arrived === 2);
          await trx.updateTable('author').set({ born: 1 }).where('name', '=', own).execute();
        });
    const outcomes = await Promise.all([codeOf(raise('Ada', 'Grace')), codeOf(raise('Grace', 'Ada'))]);
    expect(outcomes.sort()).toEqual(['40001', 'done']);
  });

  it('runs 100 transactions at once, of which each third fails', async () => {
    const fails = (n: number) => n % 3 === 0;
    const run = (n: number) =>
      db.transaction().execute(async (trx) => {
        const { id } = await trx
          .insertInto('author')
          .values({ name: `author ${n}` })
          .returning('id')
          .executeTakeFirstOrThrow();
        await trx
          .insertInto('book')
          .values({ authorId: id, title: `book ${n}` })
          .execute();
        if (fails(n)) throw new Error(`transaction ${n}`);
      });
    const all = Array.from({ length: 100 }, (_, n) => n);
    const outcomes = await Promise.allSettled(all.map(run));
    expect(outcomes.map(({ status }) => status === 'rejected')).toEqual(all.map(fails));
    const books = await db.selectFrom('book').select('title').where('title', 'like', 'book %').execute();
    const kept = all.filter((n) => !fails(n)).map((n) => `book ${n}`);
    expect(books.map(({ title }) => title).sort()).toEqual(kept.sort());
  });

  it('keeps a transaction on its session across rotations, and commits it', async () => {
    const trx = await db.startTransaction().execute();
    const session = await sessionOf(trx);
    for (const author of ['Barbara', 'Donald', 'Edsger']) {
      await add(trx, author);
      await library.rotation();
      expect(await sessionOf(trx)).toBe(session);
    }
    await trx.commit().execute();
    expect(await names()).toEqual(['Ada', 'Barbara', 'Donald', 'Edsger', 'Grace']);
  });

  it('controls a transaction with savepoints', async () => {
    const trx = await db.startTransaction().setIsolationLevel('repeatable read').execute();
    await add(trx, 'Barbara');
    const first = await trx.savepoint('first').execute();
    await add(first, 'Donald');
    expect(await codeOf(add(first, 'Ada'))).toBe('23505');
    expect(await codeOf(add(first, 'Edsger'))).toBe('25P02');
    const back = await first.rollbackToSavepoint('first').execute();
    await library.rotation();
    await add(back, 'Edsger');
    const second = await back.savepoint('second').execute();
    await add(second, 'Frances');
    await second.releaseSavepoint('second').execute();
    await trx.commit().execute();
    expect(await names()).toEqual(['Ada', 'Barbara', 'Edsger', 'Frances', 'Grace']);
    await expect(add(trx, 'Late')).rejects.toThrow('already committed');
  });

  it('returns the connection of a controlled transaction at its commit and its rollback', async () => {
    const pool = library.pool({ max: 1 });
    const single = library.kysely(pool);
    const trx = await single.startTransaction().execute();
    const waiting = sql`select 1`.execute(single);
    await waitFor(() => pool.waitingCount === 1);
    await add(trx, 'Barbara');
    await trx.rollback().execute();
    await waiting;
    await expect(add(trx, 'Late')).rejects.toThrow('already rolled back');
    const next = await single.startTransaction().execute();
    await add(next, 'Donald');
    await next.commit().execute();
    await sql`select 1`.execute(single);
    expect(await names()).toEqual(['Ada', 'Donald', 'Grace']);
  });

  it('starts a transaction on the session of connection()', async () => {
    await db.connection().execute(async (pinned) => {
      const session = await sessionOf(pinned);
      await pinned.transaction().execute(async (trx) => expect(await sessionOf(trx)).toBe(session));
      expect(await sessionOf(pinned)).toBe(session);
    });
  });

  it('rejects when the server ends the session of a transaction, and then serves again', async () => {
    const single = library.kysely(toleratesLosses(library.pool({ max: 1 })));
    const broken = single.transaction().execute(async (trx) => {
      await library.server.query('select pg_terminate_backend($1)', [await sessionOf(trx)]);
      await waitFor(async () => (await codeOf(sql`select 1`.execute(trx))) !== 'done');
      await add(trx, 'Lost');
    });
    await expect(broken).rejects.toThrow();
    // pg may notice the end of the session after Kysely has returned the connection.
    await waitFor(async () => (await codeOf(sql`select 1`.execute(single))) === 'done');
    await add(single, 'Barbara');
    expect(await names()).toEqual(['Ada', 'Barbara', 'Grace']);
  });
});
