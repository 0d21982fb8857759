import { randomBytes } from 'node:crypto';
import { chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import mysql, { type RowDataPacket } from 'mysql2/promise';
import { freePort } from './free-port';
import { type MysqlPrograms, mysqlPrograms } from './mysql-programs';
import { type Guarded, type RunAs, runGuarded } from './postgres-binaries/guard';
import { waitFor } from './wait-for';

/** The certificate of the server, and the authority of its clients, as PEM. */
export interface MariadbCertificates {
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
}

/** Options of `startMariadb`. */
export interface MariadbOptions {
  /** Further server settings, for example `{ max_connections: '20' }`. */
  readonly settings?: Readonly<Record<string, string>>;
  readonly ssl?: MariadbCertificates;
  /** Called with every line of the server's log. */
  readonly onLog?: (line: string) => void;
}

/** A MariaDB or MySQL server on a loopback port. It ends with this process, even if this process is killed. */
export interface MariadbServer {
  readonly kind: MysqlPrograms['kind'];
  readonly host: string;
  readonly port: number;
  /** A database that every user may use. */
  readonly database: string;
  /** Runs a statement as the administrator. */
  query<Row = Record<string, unknown>>(sql: string, values?: unknown[]): Promise<Row[]>;
  /** Replaces the certificates. Resolves when new connections use them. */
  renewCertificates(ssl: MariadbCertificates): Promise<void>;
  /** Shuts the server down, which ends every session. */
  shutDown(): Promise<void>;
  /** Starts it again, on the same port. */
  start(): Promise<void>;
  /** Stops the server and removes its data. May be called twice. */
  stop(): Promise<void>;
}

const NOBODY: RunAs = { uid: 65534, gid: 65534 };
const HOST = '127.0.0.1';
const DATABASE = 'app';
const START_TIMEOUT_MS = 60_000;

/** Starts the MariaDB server of the system, or the MySQL server of `MYSQL_PATH`, with an administrator whose password is random. */
export async function startMariadb(options: MariadbOptions = {}): Promise<MariadbServer> {
  const programs = mysqlPrograms();
  const runAs = process.getuid?.() === 0 ? NOBODY : undefined;
  const directory = mkdtempSync(join(tmpdir(), 'hot-secrets-mariadb-'));
  const data = join(directory, 'data');
  mkdirSync(data);
  for (const path of [directory, data]) own(path, runAs);
  const password = randomBytes(18).toString('hex');
  programs.initialise(data, runAs);
  const initFile = file(
    directory,
    'init.sql',
    [
      `create user if not exists admin@'%' identified by '${password}';`,
      `grant all on *.* to admin@'%' with grant option;`,
      `drop user if exists root@localhost, root@'127.0.0.1', root@'::1';`,
      `create database if not exists ${DATABASE};`,
    ].join('\n'),
    runAs,
  );
  const settings = { ...certificates(directory, options.ssl, runAs), ...options.settings };
  const port = await freePort();
  const command = [
    ...[programs.server, '--no-defaults', `--datadir=${data}`, `--socket=${join(directory, 'socket')}`],
    ...[
      `--port=${port}`,
      `--bind-address=${HOST}`,
      `--init-file=${initFile}`,
      `--pid-file=${join(directory, 'pid')}`,
      `--tmpdir=${directory}`,
    ],
    ...['--skip-name-resolve', '--innodb-buffer-pool-size=16M', '--innodb-flush-log-at-trx-commit=0'],
    ...['--character-set-server=utf8mb4', `--secure-file-priv=${directory}`, ...programs.settings],
    ...Object.entries(settings).map(([name, value]) => `--${name.replaceAll('_', '-')}=${value}`),
  ];
  let server: Guarded | undefined;
  let connection: mysql.Connection | undefined;
  const start = async () => {
    server = await run(command, directory, runAs, options.onLog);
    connection = await mysql.createConnection({
      host: HOST,
      port,
      user: 'admin',
      password,
      database: DATABASE,
    });
    // Neither the connection nor its errors concern the tests.
    connection.on('error', () => {});
    (connection as unknown as { connection: { stream: { unref(): void } } }).connection.stream.unref();
  };
  await start();
  const query = async <Row>(sql: string, values: unknown[] = []) => {
    const keepAlive = setInterval(() => {}, 60_000);
    try {
      const [rows] = await (connection as mysql.Connection).query<RowDataPacket[]>(sql, values);
      return rows as unknown as Row[];
    } finally {
      clearInterval(keepAlive);
    }
  };
  let stopping: Promise<void> | undefined;
  return {
    kind: programs.kind,
    host: HOST,
    port,
    database: DATABASE,
    start,
    query,
    async renewCertificates(ssl) {
      certificates(directory, ssl, runAs);
      await query(programs.reloadCertificates);
    },
    async shutDown() {
      const running = server;
      running?.hold();
      await connection?.query('shutdown').catch(() => {});
      await running?.exited;
    },
    stop() {
      stopping ??= (async () => {
        connection?.destroy();
        await server?.stop();
        rmSync(directory, { recursive: true, force: true });
      })();
      return stopping;
    },
  };
}

async function run(
  command: readonly string[],
  directory: string,
  runAs: RunAs | undefined,
  onLog: MariadbOptions['onLog'],
): Promise<Guarded> {
  const output: string[] = [];
  let ready = false;
  const server = runGuarded(
    command,
    directory,
    runAs,
    (line) => {
      if (output.length < 60) output.push(line);
      if (line.includes('ready for connections')) ready = true;
      onLog?.(line);
    },
    'TERM',
  );
  server.hold();
  const ended = server.exited.then(() => {
    throw new Error(`The server did not start:\n${output.join('\n')}`);
  });
  await Promise.race([
    ended,
    waitFor(() => ready, { timeoutMs: START_TIMEOUT_MS, what: 'the server to start' }),
  ]);
  ended.catch(() => {});
  server.release();
  return server;
}

function certificates(
  directory: string,
  ssl: MariadbOptions['ssl'],
  runAs: RunAs | undefined,
): Record<string, string> {
  if (ssl === undefined) return {};
  return {
    ssl_cert: file(directory, 'server.crt', ssl.cert, runAs),
    ssl_key: file(directory, 'server.key', ssl.key, runAs),
    ssl_ca: file(directory, 'ca.crt', ssl.ca, runAs),
  };
}

function file(directory: string, name: string, text: string, runAs: RunAs | undefined): string {
  const path = join(directory, name);
  writeFileSync(path, text, { mode: 0o600 });
  own(path, runAs);
  return path;
}

function own(path: string, runAs: RunAs | undefined): void {
  if (runAs !== undefined) chownSync(path, runAs.uid, runAs.gid);
}
