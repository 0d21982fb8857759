import type { PoolRequest, PoolServer, PoolUnderTest } from 'hot-secrets/testing';
import type { Pool, RowDataPacket } from 'mysql2/promise';
import type { MysqlHarness } from './mysql-harness';

const ACCOUNTS = 10;

/** The server of a case of `poolContract`, with two new users. */
export async function mysqlServer(
  { server, user, alter, kill }: MysqlHarness,
  passwords: readonly [string, string],
  poolOf: (request: PoolRequest) => Pool,
): Promise<PoolServer> {
  const users = [await user(passwords[0]), await user(passwords[1])] as const;
  const accounts = `accounts_${users[0]}`;
  await server.query(`create table ${accounts} (id int primary key, balance int) engine = innodb`);
  const rows = Array.from({ length: ACCOUNTS }, (_, id) => `(${id}, 0)`);
  await server.query(`insert into ${accounts} values ${rows.join(', ')}`);
  const sessions = async (name: string) => {
    const sql = 'select id from information_schema.processlist where user = ?';
    return (await server.query<{ id: number }>(sql, [name])).map(({ id }) => String(id));
  };
  return {
    host: server.host,
    port: server.port,
    users,
    sessions,
    createPool: (request) => use(poolOf(request), accounts),
    setPassword: (name, password) => alter(name, `identified by '${password}'`),
    async balances() {
      const found = await server.query<{ balance: number }>(`select balance from ${accounts} order by id`);
      return found.map(({ balance }) => balance);
    },
    lock: (name) => alter(name, 'account lock'),
    unlock: (name) => alter(name, 'account unlock'),
    limit: (name, count) => alter(name, `with max_user_connections ${count}`),
    async killSessions(name) {
      const open = await sessions(name);
      await kill(name);
      return open.length;
    },
    stop: server.shutDown,
    start: server.start,
  };
}

/** How the contract uses a pool of mysql2. */
function use(pool: Pool, accounts: string): PoolUnderTest {
  return {
    async query(durationMs) {
      const sql = 'select connection_id() as id, sleep(?)';
      const [rows] = await pool.query<RowDataPacket[]>(sql, [durationMs / 1000]);
      return String(rows[0]?.id);
    },
    async transfer(from, to, pause) {
      const connection = await pool.getConnection();
      const add = (account: number, amount: number) =>
        connection.query(`update ${accounts} set balance = balance + ? where id = ?`, [amount, account]);
      let broken = false;
      try {
        await connection.beginTransaction();
        await add(from, -1);
        await pause();
        await add(to, 1);
        await connection.commit();
      } catch (error) {
        await connection.rollback().catch(() => {
          broken = true;
        });
        throw error;
      } finally {
        if (broken) connection.destroy();
        else connection.release();
      }
    },
    end: () => pool.end(),
  };
}
