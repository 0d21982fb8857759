import { spawnSync } from 'node:child_process';
import { dirname } from 'node:path';
import { findProgram, hasServer } from './debian-server';
import type { RunAs } from './postgres-binaries/guard';

/** The programs of a server that speaks the protocol of MySQL. */
export interface MysqlPrograms {
  readonly kind: 'mariadb' | 'mysql';
  readonly server: string;
  /** Settings that only this kind knows. */
  readonly settings: readonly string[];
  /** The statement that reads the files of the certificates again. */
  readonly reloadCertificates: string;
  /** Creates an empty data directory. */
  initialise(data: string, runAs: RunAs | undefined): void;
}

/** A `mysqld` of Oracle's MySQL to use instead of MariaDB: `scripts/mysql-server.sh` fetches one. */
const MYSQL = process.env.MYSQL_PATH;

/** Returns true if a server is installed: MariaDB, or the MySQL of `MYSQL_PATH`. */
export function hasMysqlServer(): boolean {
  return MYSQL !== undefined || hasServer('mariadb-server', 'mariadbd', 'mariadb-install-db');
}

export const isMysql = MYSQL !== undefined;

export function mysqlPrograms(): MysqlPrograms {
  return MYSQL === undefined ? mariadb() : mysql(MYSQL);
}

function mariadb(): MysqlPrograms {
  const server = findProgram('mariadbd');
  const install = findProgram('mariadb-install-db');
  if (server === undefined || install === undefined) throw new Error('mariadbd is not installed');
  return {
    kind: 'mariadb',
    server,
    settings: ['--log-warnings=3', '--innodb-log-file-size=8M'],
    reloadCertificates: 'flush ssl',
    initialise: (data, runAs) =>
      run(
        [
          ...[install, '--no-defaults', `--datadir=${data}`, '--auth-root-authentication-method=normal'],
          ...['--skip-test-db', '--force'],
        ],
        data,
        runAs,
      ),
  };
}

function mysql(server: string): MysqlPrograms {
  return {
    kind: 'mysql',
    server,
    settings: ['--log-error-verbosity=3', '--innodb-redo-log-capacity=8M', '--mysqlx=OFF', '--skip-log-bin'],
    reloadCertificates: 'alter instance reload tls',
    initialise: (data, runAs) =>
      run([server, '--no-defaults', '--initialize-insecure', `--datadir=${data}`], data, runAs),
  };
}

function run([program = '', ...values]: readonly string[], data: string, runAs: RunAs | undefined): void {
  const { status, stderr, stdout } = spawnSync(program, values, {
    ...runAs,
    cwd: dirname(data),
    // As root it would read the user's files. A server that starts removes the temporary tables of others in a shared folder.
    env: { PATH: process.env.PATH, HOME: dirname(data), TMPDIR: dirname(data) },
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`${program} failed:\n${stdout}\n${stderr}`);
}
