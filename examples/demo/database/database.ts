import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type PostgresServer, startPostgres } from '../../../test/support/postgres';

export const ROLES = ['app_blue', 'app_green'] as const;
export type Role = (typeof ROLES)[number];

/** Where the service connects to; who it is comes from the mount. */
export interface Address {
  readonly host: string;
  readonly port: number;
  readonly database: string;
}

/** The database as its operator and its server log see it. */
export interface Database extends AsyncDisposable {
  readonly address: Address;
  /** Gives a role a new random password and returns it. Sessions that are open live on. */
  changePassword(role: Role): Promise<string>;
  /** Logins that the server refused until now, by its own log. */
  rejectedLogins(): number;
  connections(): Promise<readonly Connection[]>;
}

/** One session of the service: pids repeat, a pid with its start does not. */
export interface Connection {
  readonly key: string;
  readonly role: string;
}

export function newPassword(): string {
  return randomBytes(16).toString('hex');
}

export async function startDatabase(): Promise<Database> {
  let rejected = 0;
  const server = await startPostgres({
    onLog: (line) => {
      if (/FATAL: .*authentication failed for user "app_/.test(line)) rejected += 1;
    },
  });
  for (const role of ROLES) await server.query(`create role ${role} login`);
  const { host, port, database } = server;
  return {
    address: { host, port, database },
    async changePassword(role) {
      const password = newPassword();
      await server.query(`alter role ${role} password '${password}'`);
      return password;
    },
    rejectedLogins: () => rejected,
    connections: () => connections(server),
    [Symbol.asyncDispose]: server.stop,
  };
}

async function connections(server: PostgresServer): Promise<Connection[]> {
  const { rows } = await server.query<{ key: string; role: string }>(
    `select pid || '@' || backend_start as key, usename as role from pg_stat_activity where usename like 'app_%'`,
  );
  return rows;
}

const LOOK_EVERY_MS = 10;

/**
 * Waits until no session that was opened with the old credential is left: none of `old`, and none of the former role,
 * where there is one. Resolves with whether that happened in time, and with the most sessions seen meanwhile.
 */
export async function untilGone(
  database: Database,
  old: readonly Connection[],
  formerRole: Role | undefined,
  withinMs: number,
): Promise<{ gone: boolean; peak: number }> {
  const keys = new Set(old.map(({ key }) => key));
  const deadline = Date.now() + withinMs;
  let peak = old.length;
  while (Date.now() < deadline) {
    const now = await database.connections();
    peak = Math.max(peak, now.length);
    if (!now.some(({ key, role }) => keys.has(key) || role === formerRole)) return { gone: true, peak };
    await sleep(LOOK_EVERY_MS);
  }
  return { gone: false, peak };
}
