import { Model } from 'objection';
import { useObjection } from '../recipes/objection';
import { poolOf, transactions } from '../servers/postgres';

class Entry extends Model {
  static override tableName = 'entries';
}

export const row = transactions((secrets, server) => {
  const pool = poolOf(secrets, server);
  useObjection(pool);
  return {
    write: (note, kept, fail) =>
      Entry.transaction(async (tx) => {
        await Entry.query(tx).insert({ note, kept } as object);
        fail();
      }),
    close: () => pool.end(),
  };
});
