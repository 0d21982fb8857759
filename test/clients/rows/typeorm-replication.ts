import { EntitySchema } from 'typeorm';
import { useTypeOrm } from '../recipes/typeorm';
import { addressOf, transactions } from '../servers/postgres';

const Entry = new EntitySchema<{ id: number; note: string; kept: boolean }>({
  name: 'entries',
  columns: {
    id: { type: Number, primary: true, generated: true },
    note: { type: 'text' },
    kept: { type: Boolean },
  },
});

/** Writes to the master, reads from a slave: each has a pool of its own. */
export const row = transactions(async (secrets, server) => {
  const address = addressOf(server);
  const dataSource = useTypeOrm(secrets, {
    replication: { master: address, slaves: [{ ...address, applicationName: 'slave' }] },
    entities: [Entry],
    extra: { max: 10, maxUses: 50 },
  });
  await dataSource.initialize();
  return {
    async write(note, kept, fail) {
      const runner = dataSource.createQueryRunner('slave');
      try {
        const [found] = await runner.query('show application_name');
        if (found.application_name !== 'slave') throw new Error('The slave was not asked.');
      } finally {
        await runner.release();
      }
      await dataSource.transaction(async (tx) => {
        await tx.insert(Entry, { note, kept });
        fail();
      });
    },
    close: () => dataSource.destroy(),
  };
});
