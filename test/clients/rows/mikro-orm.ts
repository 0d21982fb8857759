import { EntitySchema } from '@mikro-orm/postgresql';
import { useMikroOrm } from '../recipes/mikro-orm';
import { poolOf, transactions } from '../servers/postgres';

interface Entry {
  readonly id?: number;
  readonly note: string;
  readonly kept: boolean;
}

const EntrySchema = new EntitySchema<Entry>({
  name: 'Entry',
  tableName: 'entries',
  properties: {
    id: { type: 'number', primary: true },
    note: { type: 'text' },
    kept: { type: 'boolean' },
  },
});

export const row = transactions(async (secrets, server) => {
  const orm = await useMikroOrm(poolOf(secrets, server), [EntrySchema], server.database);
  return {
    write: (note, kept, fail) =>
      orm.em.fork().transactional(async (em) => {
        em.persist(em.create(EntrySchema, { note, kept }));
        await em.flush();
        fail();
      }),
    close: () => orm.close(),
  };
});
