import { hasServer } from '../../../test/support/debian-server';
import { startMariadb } from '../../../test/support/mariadb';
import { type Database, newPassword, ROLES } from '../database/database';
import { compare } from '../database/demo';
import type { DemoOptions } from '../demo';
import { startHotSecrets, startNaive } from './services';

/** Rotates passwords of MariaDB under load. */
export async function mysqlDemo(options: DemoOptions) {
  if (!hasServer('mariadb-server', 'mariadbd', 'mariadb-install-db')) process.exit(1);
  return compare(
    {
      title: 'MariaDB',
      startDatabase,
      startNaive,
      startHotSecrets,
      naive: 'await pool.end(); pool = createPool()',
      chart: 'latency-mysql.svg',
    },
    options,
  );
}

async function startDatabase(): Promise<Database> {
  let rejected = 0;
  const server = await startMariadb({
    onLog: (line) => {
      if (line.includes(`Access denied for user 'app_`)) rejected += 1;
    },
  });
  for (const role of ROLES) {
    await server.query(`create user ${role} identified by '${newPassword()}'`);
    await server.query(`grant all on ${server.database}.* to ${role}`);
  }
  const { host, port, database } = server;
  return {
    address: { host, port, database },
    async changePassword(role) {
      const password = newPassword();
      await server.query(`alter user ${role} identified by '${password}'`);
      return password;
    },
    rejectedLogins: () => rejected,
    connections: () =>
      server.query<{ key: string; role: string }>(
        "select concat(id) as `key`, user as role from information_schema.processlist where user like 'app%'",
      ),
    [Symbol.asyncDispose]: server.stop,
  };
}
