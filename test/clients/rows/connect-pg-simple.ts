import type { SessionData } from 'express-session';
import type { Row } from '../measure';
import { useConnectPgSimple } from '../recipes/connect-pg-simple';
import { type Postgres, poolOf, startServer } from '../servers/postgres';

/** Each turn stores a session, reads it back, and destroys every third one. */
export const row: Row<Postgres> = {
  server: startServer,
  async start(secrets, server) {
    const pool = poolOf(secrets, server, { options: '-c role=app' });
    await pool.query(
      'create table if not exists session (sid varchar primary key, sess json not null, expire timestamp(6) not null)',
    );
    const store = useConnectPgSimple(pool);
    const call = <T>(run: (done: (error?: unknown, result?: T | null) => void) => void) =>
      new Promise<T | null | undefined>((resolve, reject) => {
        run((error, result) => (error ? reject(error) : resolve(result)));
      });
    return {
      async work(turn) {
        const id = `session-${turn}`;
        const session = { cookie: { originalMaxAge: 60_000 }, turn } as unknown as SessionData;
        await call((done) => store.set(id, session, done));
        const found = (await call<SessionData>((done) => store.get(id, done))) as { turn?: number } | null;
        if (found?.turn !== turn) throw new Error(`The session ${id} was not found.`);
        if (turn % 3 === 2) await call((done) => store.destroy(id, done));
      },
      async close() {
        await store.close();
        await pool.end();
      },
    };
  },
};
