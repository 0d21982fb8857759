import { EntitySchema } from 'typeorm';
import { useTypeOrm } from '../recipes/typeorm-mysql';
import { addressOf, transactions } from '../servers/mysql';

const Entry = new EntitySchema<{ id: number; note: string; kept: boolean }>({
  name: 'entries',
  columns: {
    id: { type: Number, primary: true, generated: true },
    note: { type: 'text' },
    kept: { type: Boolean },
  },
});

export const row = transactions(async (secrets, server) => {
  const dataSource = useTypeOrm(secrets, { ...addressOf(server), entities: [Entry] });
  await dataSource.initialize();
  // A second life of the data source gets a pool of its own.
  await dataSource.destroy();
  await dataSource.initialize();
  return {
    write: (note, kept, fail) =>
      dataSource.transaction(async (tx) => {
        await tx.insert(Entry, { note, kept });
        fail();
      }),
    close: () => dataSource.destroy(),
  };
});
