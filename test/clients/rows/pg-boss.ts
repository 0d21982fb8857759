import type { Row } from '../measure';
import { usePgBoss } from '../recipes/pg-boss';
import { type Postgres, poolOf, startServer } from '../servers/postgres';

const QUEUE = 'orders';

/** Each turn sends a job, fetches one and completes it. */
export const row: Row<Postgres> = {
  server: startServer,
  async start(secrets, server) {
    const pool = poolOf(secrets, server, { options: '-c role=app' });
    const boss = usePgBoss(pool);
    boss.on('error', () => {});
    await boss.start();
    await boss.createQueue(QUEUE);
    let sent = 0;
    return {
      async work(turn) {
        const id = await boss.send(QUEUE, { turn });
        if (id === null) throw new Error('The job was not sent.');
        sent += 1;
        for (const job of await boss.fetch(QUEUE)) await boss.complete(QUEUE, job.id);
      },
      async check() {
        const sql = 'select count(*) as count from pgboss.job where name = $1';
        const { rows } = await pool.query<{ count: string }>(sql, [QUEUE]);
        return Number(rows[0]?.count) === sent ? [] : [`${rows[0]?.count} of ${sent} jobs were stored`];
      },
      async close() {
        await boss.stop({ graceful: false, wait: false } as object);
        await pool.end();
      },
    };
  },
};
