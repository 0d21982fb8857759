import { usePostgresJs } from '../recipes/postgres-js';
import { addressOf, transactions } from '../servers/postgres';

export const row = transactions(async (secrets, server) => {
  // Connections end after two seconds, so that new logins are needed at any time.
  const sql = await usePostgresJs(secrets, { ...addressOf(server), max: 10, max_lifetime: 2 });
  return {
    write: (note, kept, fail) =>
      sql.use((current) =>
        current.begin(async (tx) => {
          await tx`insert into entries (note, kept) values (${note}, ${kept})`;
          fail();
        }),
      ),
    close: () => sql.close(),
  };
});
