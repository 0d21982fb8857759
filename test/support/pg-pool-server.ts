import type { PoolRequest, PoolServer, PoolUnderTest } from 'hot-secrets/testing';
import type { Pool } from 'pg';
import type { PgHarness } from './pg-harness';

const ACCOUNTS = 10;

/** The server of a case of `poolContract`, with two new roles. */
export async function pgServer(
  harness: PgHarness,
  passwords: readonly [string, string],
  poolOf: (request: PoolRequest) => Pool,
): Promise<PoolServer> {
  const { server, role, alter } = harness;
  const users = [await role(passwords[0]), await role(passwords[1])] as const;
  const accounts = `accounts_${users[0]}`;
  await server.query(`create table ${accounts} (id int, balance int)`);
  await server.query(`insert into ${accounts} select id, 0 from generate_series(0, ${ACCOUNTS - 1}) as id`);
  await server.query(`grant all on ${accounts} to ${users.join(', ')}`);
  const ofUser = 'from pg_stat_activity where usename = $1';
  return {
    host: server.host,
    port: server.port,
    users,
    createPool: (request) => use(poolOf(request), accounts),
    setPassword: (user, password) => alter(user, `password '${password}'`),
    async sessions(user) {
      const { rows } = await server.query<{ id: string }>(`select ${SESSION} as id ${ofUser}`, [user]);
      return rows.map(({ id }) => id);
    },
    async balances() {
      const { rows } = await server.query<{ balance: number }>(`select balance from ${accounts} order by id`);
      return rows.map(({ balance }) => balance);
    },
    lock: (user) => alter(user, 'nologin'),
    unlock: (user) => alter(user, 'login'),
    limit: (user, sessions) => alter(user, `connection limit ${sessions}`),
    async killSessions(user) {
      return (await server.query(`select pg_terminate_backend(pid) ${ofUser}`, [user])).rowCount ?? 0;
    },
    stop: server.shutDown,
    start: server.start,
  };
}

/** The id of a process is used again. */
const SESSION = `pid || '/' || extract(epoch from backend_start)`;

/** How the contract uses a pool of pg. */
function use(pool: Pool, accounts: string): PoolUnderTest {
  // The contract ends sessions, and hears of it from its calls.
  pool.on('error', () => {});
  return {
    async query(durationMs) {
      const sql = `select ${SESSION} as id from pg_stat_get_activity(pg_backend_pid()), pg_sleep($1)`;
      return (await pool.query<{ id: string }>(sql, [durationMs / 1000])).rows[0]?.id as string;
    },
    async transfer(from, to, pause) {
      const client = await pool.connect();
      const ignore = () => {};
      client.on('error', ignore);
      const add = (account: number, amount: number) =>
        client.query(`update ${accounts} set balance = balance + $1 where id = $2`, [amount, account]);
      let broken = false;
      try {
        await client.query('begin');
        await add(from, -1);
        await pause();
        await add(to, 1);
        await client.query('commit');
      } catch (error) {
        await client.query('rollback').catch(() => {
          broken = true;
        });
        throw error;
      } finally {
        client.off('error', ignore);
        client.release(broken);
      }
    },
    end: () => pool.end(),
  };
}
