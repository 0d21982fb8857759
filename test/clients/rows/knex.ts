import { useKnex } from '../recipes/knex';
import { poolOf, transactions } from '../servers/postgres';

export const row = transactions((secrets, server) => {
  const pool = poolOf(secrets, server);
  const db = useKnex(pool);
  return {
    write: (note, kept, fail) =>
      db.transaction(async (tx) => {
        await tx('entries').insert({ note, kept });
        fail();
      }),
    async close() {
      await db.destroy();
      await pool.end();
    },
  };
});
