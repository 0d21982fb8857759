import type { BasicPool, HotPool } from 'hot-secrets/pg';
import { type PostgresPool, sql } from 'kysely';
import { jsonArrayFrom } from 'kysely/helpers/postgres';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, expectTypeOf, it } from 'vitest';
import { POOLS } from '../support/stage';
import { type Db, type Library, openLibrary } from './database';

it('accepts the types of createPool, with and without those of pg', () => {
  expectTypeOf<HotPool>().toExtend<PostgresPool>();
  expectTypeOf<BasicPool>().toExtend<PostgresPool>();
});

describe.each(POOLS)('queries of Kysely with %s', (name) => {
  let library: Library;
  let db: Db;
  beforeAll(async () => {
    library = await openLibrary(name);
    db = library.db;
  });
  beforeEach(() => library.fill());
  afterAll(() => library.close());

  it('selects with joins, groups, common table expressions and nested JSON', async () => {
    const joined = await db
      .selectFrom('author')
      .innerJoin('book', 'book.authorId', 'author.id')
      .select(({ fn }) => ['author.name', fn.sum<string>('book.copies').as('copies')])
      .groupBy('author.name')
      .having(({ fn }) => fn.countAll(), '>', 1)
      .execute();
    expect(joined).toEqual([{ name: 'Grace', copies: '4' }]);
    const nested = await db
      .with('young', (q) => q.selectFrom('author').selectAll().where('born', '>', 1900))
      .selectFrom('young')
      .select((eb) => [
        'young.name',
        jsonArrayFrom(
          eb.selectFrom('book').select('title').whereRef('authorId', '=', 'young.id').orderBy('title'),
        ).as('books'),
      ])
      .execute();
    expect(nested).toEqual([{ name: 'Grace', books: [{ title: 'Compilers' }, { title: 'Ships' }] }]);
    await expect(
      db.selectFrom('author').selectAll().where('name', '=', 'Nobody').executeTakeFirstOrThrow(),
    ).rejects.toThrow('no result');
  });

  it('inserts with returning, counts, conflicts and the result of a query', async () => {
    const { id, copies } = await db
      .insertInto('book')
      .columns(['authorId', 'title'])
      .expression(
        db
          .selectFrom('author')
          .select(['id', sql<string>`'Letters'`.as('title')])
          .limit(1),
      )
      .returning(['id', 'copies'])
      .executeTakeFirstOrThrow();
    expect([typeof id, copies]).toEqual(['number', 1]);
    const author = { name: 'Ada', born: 1816 };
    const ignored = await db
      .insertInto('author')
      .values(author)
      .onConflict((on) => on.doNothing())
      .execute();
    expect(ignored).toMatchObject([{ numInsertedOrUpdatedRows: 0n }]);
    const updated = await db
      .insertInto('author')
      .values(author)
      .onConflict((on) => on.column('name').doUpdateSet({ born: ({ ref }) => ref('excluded.born') }))
      .returningAll()
      .executeTakeFirst();
    expect(updated).toMatchObject(author);
  });

  it('updates and deletes with counts, returning and other tables', async () => {
    const counted = await db.updateTable('book').set({ copies: 5 }).executeTakeFirst();
    expect(counted.numUpdatedRows).toBe(3n);
    const updated = await db
      .updateTable('book')
      .from('author')
      .set((eb) => ({ copies: eb('copies', '+', 1) }))
      .whereRef('author.id', '=', 'book.authorId')
      .where('author.name', '=', 'Ada')
      .returning(['title', 'copies', 'author.name'])
      .execute();
    expect(updated).toEqual([{ title: 'Notes', copies: 6, name: 'Ada' }]);
    const removed = await db.deleteFrom('book').where('title', '=', 'Ships').returning('title').execute();
    expect(removed).toEqual([{ title: 'Ships' }]);
    const none = await db.deleteFrom('book').where('title', '=', 'Ships').executeTakeFirst();
    expect(none.numDeletedRows).toBe(0n);
    const [merged] = await db
      .mergeInto('author')
      .using('book', 'book.authorId', 'author.id')
      .whenMatchedAnd('book.title', '=', 'Notes')
      .thenDelete()
      .execute();
    expect(merged?.numChangedRows).toBe(1n);
  });

  it('passes parameters, arrays, JSON and identifiers of raw SQL', async () => {
    const { rows } = await sql<Record<string, unknown>>`
      select ${'a "quoted" text'}::text as text, ${['x', 'y']}::text[] as list, ${{ deep: [1] }}::jsonb as json,
        ${sql.lit(7)} as literal, ${null}::int as nothing, ${sql.ref('author.name')}
      from ${sql.table('author')} where ${sql.id('name')} in (${sql.join(['Ada', 'Nobody'])})`.execute(db);
    expect(rows).toEqual([
      {
        text: 'a "quoted" text',
        list: ['x', 'y'],
        json: { deep: [1] },
        literal: 7,
        nothing: null,
        name: 'Ada',
      },
    ]);
    expect(await db.selectFrom('book').select('tags').where('title', '=', 'Compilers').execute()).toEqual([
      { tags: ['code', 'history'] },
    ]);
    const [plan] = await db.selectFrom('book').selectAll().explain('json');
    expect(plan).toHaveProperty('QUERY PLAN');
  });

  it('gives each of 300 concurrent queries its own answer', async () => {
    const numbers = Array.from({ length: 300 }, (_, n) => n);
    const answers = await Promise.all(
      numbers.map((n) => sql<{ n: number }>`select ${n}::int as n, pg_sleep(0.01)`.execute(db)),
    );
    expect(answers.map(({ rows }) => rows[0]?.n)).toEqual(numbers);
    expect(library.pg.totalCount).toBeLessThanOrEqual(5);
  });

  it.each([
    ['42703', () => db.selectFrom('author').select(sql`missing`.as('m')).execute(), { position: '8' }],
    ['23505', () => db.insertInto('author').values({ name: 'Ada' }).execute(), { table: 'author' }],
    ['23503', () => db.insertInto('book').values({ authorId: 0, title: '' }).execute(), { table: 'book' }],
    ['23514', () => db.updateTable('author').set({ born: -1 }).execute(), { table: 'author' }],
    ['42601', () => sql`selec`.execute(db), { position: '1' }],
  ])('rejects with SQLSTATE %s of the server and a stack that leads here', async (code, call, details) => {
    const error = await call().then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(pg.DatabaseError);
    expect(error).toMatchObject({ code, ...details });
    expect((error as Error).stack).toContain('queries.suite.ts');
    await expect(sql`select 1`.execute(db)).resolves.toBeDefined();
  });

  it('keeps one session for connection(), also across rotations, and releases it after an error', async () => {
    const pool = library.pool({ max: 1 });
    const single = library.kysely(pool);
    const seen = await single.connection().execute(async (pinned) => {
      await sql`set application_name = 'pinned'`.execute(pinned);
      const sessions: unknown[] = [];
      for (let round = 0; round < 3; round += 1) {
        const { rows } = await sql<{ pid: number; name: string }>`
          select pg_backend_pid() as pid, current_setting('application_name') as name`.execute(pinned);
        sessions.push(`${rows[0]?.pid} ${rows[0]?.name}`);
        await library.rotation();
      }
      return sessions;
    });
    expect(new Set(seen).size).toBe(1);
    expect(seen[0]).toMatch(/^\d+ pinned$/);
    const failure = new Error('of the callback');
    await expect(
      single.connection().execute(() => {
        throw failure;
      }),
    ).rejects.toBe(failure);
    await sql`select 1`.execute(single);
  });

  it('calls onCreateConnection once for each connection and onReserveConnection for each use', async () => {
    const pool = library.pool({ max: 2 });
    const opened = new Set<object>();
    let created = 0;
    let reserved = 0;
    const single = library.kysely(pool, {
      onCreateConnection: async () => {
        created += 1;
      },
      onReserveConnection: async () => {
        reserved += 1;
      },
    });
    pool.on('acquire', (client) => opened.add(client));
    for (let use = 0; use < 20; use += 1) await sql`select 1`.execute(single);
    await library.rotation();
    for (let use = 0; use < 20; use += 1) await sql`select 1`.execute(single);
    expect(reserved).toBe(40);
    expect(created).toBeGreaterThan(0);
    expect(created).toBeLessThanOrEqual(opened.size);
  });
});
