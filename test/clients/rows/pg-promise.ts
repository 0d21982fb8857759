import { usePgPromise } from '../recipes/pg-promise';
import { addressOf, transactions } from '../servers/postgres';

export const row = transactions((secrets, server) => {
  const { db, pgp } = usePgPromise(secrets, { ...addressOf(server), ...{ max: 10, maxUses: 50 } });
  return {
    write: (note, kept, fail) =>
      db.tx(async (tx) => {
        await tx.none('insert into entries (note, kept) values ($1, $2)', [note, kept]);
        fail();
      }),
    close: async () => pgp.end(),
  };
});
