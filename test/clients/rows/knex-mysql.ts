import { useKnex } from '../recipes/knex-mysql';
import { poolOf, transactions } from '../servers/mysql';

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
      await pool.promise().end();
    },
  };
});
