import { sql } from 'kysely';
import { type Migration, Migrator } from 'kysely/migration';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { waitFor } from '../../support/wait-for';
import { POOLS } from '../support/stage';
import { type Db, type Library, openLibrary } from './database';

describe.each(POOLS)('schemas of Kysely with %s', (name) => {
  let library: Library;
  let db: Db;
  beforeAll(async () => {
    library = await openLibrary(name);
    db = library.db;
  });
  afterAll(() => library.close());

  it('creates, alters, shows and drops tables, views, types, indexes and schemas', async () => {
    const { schema } = db;
    await schema.createSchema('archive').ifNotExists().execute();
    await schema.createType('archive.state').asEnum(['open', 'closed']).execute();
    await schema
      .createTable('archive.box')
      .addColumn('id', 'serial', (column) => column.primaryKey())
      .addColumn('state', sql`archive.state`, (column) => column.notNull().defaultTo('open'))
      .addColumn('label', 'varchar(20)')
      .addUniqueConstraint('box_label', ['label'])
      .execute();
    await library.rotation();
    await schema
      .alterTable('archive.box')
      .addColumn('weight', 'numeric(6, 2)')
      .alterColumn('label', (column) => column.setNotNull())
      .execute();
    await schema
      .createIndex('box_weight')
      .on('archive.box')
      .column('weight')
      .where('weight', '>', 1)
      .execute();
    const archive = schema.withSchema('archive');
    await archive
      .createView('open')
      .as(
        db
          .withSchema('archive')
          .selectFrom('box' as 'book')
          .select('id'),
      )
      .execute();

    const { introspection } = db;
    expect((await introspection.getSchemas()).map((one) => one.name)).toEqual(
      expect.arrayContaining(['public', 'archive']),
    );
    const tables = (await introspection.getTables()).filter((table) => table.schema === 'archive');
    expect(tables.map((table) => [table.name, table.isView]).sort()).toEqual([
      ['box', false],
      ['open', true],
    ]);
    const columns = tables.find((table) => table.name === 'box')?.columns ?? [];
    expect(columns).toMatchObject([
      { name: 'id', dataType: 'int4', isAutoIncrementing: true, isNullable: false },
      { name: 'state', dataType: 'state', dataTypeSchema: 'archive', hasDefaultValue: true },
      { name: 'label', dataType: 'varchar', isNullable: false, hasDefaultValue: false },
      { name: 'weight', dataType: 'numeric', isNullable: true },
    ]);

    await archive.dropView('open').execute();
    await archive.dropIndex('box_weight').execute();
    await schema.dropTable('archive.box').execute();
    await schema.dropType('archive.state').execute();
    await schema.dropSchema('archive').execute();
    const left = (await introspection.getTables()).filter((table) => table.schema === 'archive');
    expect(left).toEqual([]);
  });

  describe('migrations', () => {
    const table = (label: string): Migration => ({
      up: (at) => at.schema.createTable(label).addColumn('id', 'integer').execute(),
      down: (at) => at.schema.dropTable(label).execute(),
    });
    const migrator = (on: Db, migrations: Record<string, Migration>) =>
      new Migrator({ db: on, provider: { getMigrations: async () => migrations } });
    const exists = async (label: string) =>
      (await db.introspection.getTables()).some((one) => one.name === label);

    it('migrates up, down and to a name, once each, although two migrators run at once', async () => {
      const migrations = { '1': table('first'), '2': table('second'), '3': table('third') };
      const other = library.kysely(library.pool({ max: 2 }));
      const both = await Promise.all([db, other].map((one) => migrator(one, migrations).migrateToLatest()));
      expect(both.map(({ error }) => error)).toEqual([undefined, undefined]);
      expect(both.flatMap(({ results }) => results).map((one) => one?.status)).toEqual(
        Array(3).fill('Success'),
      );
      await library.rotation();
      const one = migrator(db, migrations);
      expect((await one.migrateDown()).results).toMatchObject([{ migrationName: '3', direction: 'Down' }]);
      expect(await exists('third')).toBe(false);
      await one.migrateTo('1');
      expect([await exists('first'), await exists('second')]).toEqual([true, false]);
      const executed = (await one.getMigrations()).map(({ executedAt }) => executedAt !== undefined);
      expect(executed).toEqual([true, false, false]);
    });

    it('rolls all migrations of a run back if one fails', async () => {
      const failure = new Error('of the migration');
      const migrations = {
        '1': table('first'),
        '2': table('halfway'),
        '3': {
          async up() {
            throw failure;
          },
        },
      };
      const { error, results } = await migrator(db, migrations).migrateToLatest();
      expect(error).toBe(failure);
      expect(results?.map(({ status }) => status)).toEqual(['Success', 'Error']);
      expect(await exists('halfway')).toBe(false);
    });
  });

  describe('destroy()', () => {
    it('waits for running queries, closes every connection, and may be called twice', async () => {
      const pool = library.pool({ max: 3 });
      const own = library.kysely(pool);
      const logins = Array.from({ length: 3 }, () => pool.connect());
      for (const client of await Promise.all(logins)) client.release();
      const slow = Array.from({ length: 3 }, () => sql`select pg_sleep(0.3)`.execute(own));
      await waitFor(() => pool.totalCount === 3 && pool.idleCount === 0 && pool.waitingCount === 0);
      await own.destroy();
      await Promise.all(slow);
      await own.destroy();
      expect([pool.ended, pool.totalCount]).toEqual([true, 0]);
      await expect(sql`select 1`.execute(own)).rejects.toThrow(/destroyed/);
    });

    it('ends the pool at the end of a block', async () => {
      const pool = library.pool();
      {
        await using own = library.kysely(pool);
        await sql`select 1`.execute(own);
      }
      expect(pool.ended).toBe(true);
    });

    it('leaves a pool that it has ended to be ended again by createPool alone', async () => {
      const pool = library.pool();
      const own = library.kysely(pool);
      await sql`select 1`.execute(own);
      await own.destroy();
      if (name === 'createPool') await pool.end();
      else await expect(pool.end()).rejects.toThrow('more than once');
    });
  });
});
