import { sql } from 'drizzle-orm';
import { useDrizzle } from '../recipes/drizzle-mysql';
import { poolOf, transactions } from '../servers/mysql';

export const row = transactions((secrets, server) => {
  const pool = poolOf(secrets, server);
  const db = useDrizzle(pool);
  return {
    write: (note, kept, fail) =>
      db.transaction(async (tx) => {
        await tx.execute(sql`insert into entries (note, kept) values (${note}, ${kept})`);
        fail();
      }),
    close: () => pool.promise().end(),
  };
});
