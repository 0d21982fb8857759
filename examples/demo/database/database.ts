import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type PostgresServer, startPostgres } from '../../../test/support/postgres';

export const ROLES = ['app_blue', 'app_green'] as const;
export type Role = (typeof ROLES)[number];

/** Where the service connects to. Its user name and password come from the mount. */
export interface Address {
  readonly host: string;
  readonly port: number;
  readonly database: string;
}

/** The database as its operator and its server log see it. */
export interface Database extends AsyncDisposable {
  readonly address: Address;
  /** Gives a role a new random password and returns it. Open sessions stay open. */
  changePassword(role: Role): Promise<string>;
  /** Logins that the server has refused so far, according to its own log. */
  rejectedLogins(): number;
  connections(): Promise<readonly Connection[]>;
  /** Ends the sessions of a role that is no longer used, if the server lets them live on until then. */
  retire?(role: Role): Promise<void>;
}

/** One session of the service. The key holds its pid and start, because pids are reused. */
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
 * Waits until all sessions with the old credential are gone: those in `old`, and those of the former role, if there is
 * one. Resolves with whether they went in time, and with the highest number of sessions seen.
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
