import type { Generated } from 'kysely';
import { useKysely } from '../recipes/kysely-mysql';
import { poolOf, transactions } from '../servers/mysql';

interface Database {
  readonly entries: { readonly id: Generated<number>; readonly note: string; readonly kept: boolean };
}

export const row = transactions((secrets, server) => {
  const db = useKysely<Database>(poolOf(secrets, server));
  return {
    write: (note, kept, fail) =>
      db.transaction().execute(async (tx) => {
        await tx.insertInto('entries').values({ note, kept }).execute();
        fail();
      }),
    close: () => db.destroy(),
  };
});
