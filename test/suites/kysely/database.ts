import { type Generated, Kysely, PostgresDialect, type PostgresDialectConfig, sql } from 'kysely';
import type pg from 'pg';
import Cursor from 'pg-cursor';
import { openStage, type PoolName, type Stage } from '../support/stage';

interface Tables {
  readonly author: { readonly id: Generated<number>; readonly name: string; readonly born: number | null };
  readonly book: {
    readonly id: Generated<number>;
    readonly authorId: number;
    readonly title: string;
    readonly copies: Generated<number>;
    readonly tags: Generated<string[]>;
  };
}

export type Db = Kysely<Tables>;

/** A Kysely instance on its own pool, with the tables of the suites. */
export interface Library extends Stage {
  readonly pg: pg.Pool;
  readonly db: Db;
  /** Another instance, on another pool. */
  kysely(pool: pg.Pool, config?: Partial<PostgresDialectConfig>): Db;
  /** Empties the tables and inserts two authors with three books. */
  fill(): Promise<void>;
}

export async function openLibrary(name: PoolName): Promise<Library> {
  const stage = await openStage(name);
  const pool = stage.pool({ max: 5 });
  const kysely = (inner: pg.Pool, config: Partial<PostgresDialectConfig> = {}): Db =>
    new Kysely({ dialect: new PostgresDialect({ pool: inner, cursor: Cursor, ...config }) });
  const db = kysely(pool);
  await db.schema
    .createTable('author')
    .addColumn('id', 'integer', (column) => column.generatedAlwaysAsIdentity().primaryKey())
    .addColumn('name', 'text', (column) => column.notNull().unique())
    .addColumn('born', 'integer', (column) => column.check(sql`born > 0`))
    .execute();
  await db.schema
    .createTable('book')
    .addColumn('id', 'integer', (column) => column.generatedAlwaysAsIdentity().primaryKey())
    .addColumn('authorId', 'integer', (column) =>
      column.notNull().references('author.id').onDelete('cascade'),
    )
    .addColumn('title', 'text', (column) => column.notNull())
    .addColumn('copies', 'integer', (column) => column.notNull().defaultTo(1))
    .addColumn('tags', sql`text[]`, (column) => column.notNull().defaultTo(sql`'{}'`))
    .execute();
  return {
    ...stage,
    pg: pool,
    db,
    kysely,
    async fill() {
      await db.deleteFrom('author').execute();
      const authors = await db
        .insertInto('author')
        .values([
          { name: 'Ada', born: 1815 },
          { name: 'Grace', born: 1906 },
        ])
        .returning(['id', 'name'])
        .execute();
      const idOf = (author: string) => authors.find((one) => one.name === author)?.id ?? 0;
      await db
        .insertInto('book')
        .values([
          { authorId: idOf('Ada'), title: 'Notes' },
          { authorId: idOf('Grace'), title: 'Compilers', copies: 3, tags: ['code', 'history'] },
          { authorId: idOf('Grace'), title: 'Ships' },
        ])
        .execute();
    },
  };
}
