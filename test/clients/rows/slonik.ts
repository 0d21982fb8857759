import { sql } from 'slonik';
import { useSlonik } from '../recipes/slonik';
import { poolOf, transactions } from '../servers/postgres';

export const row = transactions(async (secrets, server) => {
  const pool = poolOf(secrets, server);
  const slonik = await useSlonik(pool);
  return {
    write: (note, kept, fail) =>
      slonik.transaction(async (tx) => {
        await tx.query(sql.unsafe`insert into entries (note, kept) values (${note}, ${kept})`);
        fail();
      }),
    async close() {
      await slonik.end();
      await pool.end();
    },
  };
});
