import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { cpSync, lchownSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type pg from 'pg';
import { freePort } from './free-port';
import { administrator } from './postgres-administrator';
import { type Guarded, type RunAs, runGuarded } from './postgres-binaries/guard';
import { locatePostgres } from './postgres-binaries/locate';
import { waitFor } from './wait-for';

/** The certificate and the authorities of a server, as PEM. With `ca`, clients may present certificates. */
export interface PostgresCertificates {
  readonly cert: string;
  readonly key: string;
  readonly ca?: string;
}

/** Options of `startPostgres`. */
export interface PostgresOptions {
  readonly ssl?: PostgresCertificates;
  /** Lines of `pg_hba.conf` before the default ones, which require a password from everybody. */
  readonly hba?: readonly string[];
  /** Default: 100. */
  readonly maxConnections?: number;
  /** Further server settings, for example `{ log_connections: 'on' }`. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Called with every line of the server's log. */
  readonly onLog?: (line: string) => void;
}

/** A PostgreSQL server on a loopback port. It ends with this process, even if this process is killed. */
export interface PostgresServer {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly superuser: string;
  readonly password: string;
  /** Runs a statement as the superuser, over one connection that keeps no process alive between statements. */
  query<Row extends pg.QueryResultRow = Record<string, string>>(
    sql: string,
    values?: unknown[],
  ): Promise<pg.QueryResult<Row>>;
  /** Replaces the certificates. Resolves when new connections use them. */
  renewCertificates(ssl: PostgresCertificates): Promise<void>;
  /** Shuts the server down, which ends every session. */
  shutDown(): Promise<void>;
  /** Starts it again, on the same port. */
  start(): Promise<void>;
  /** Stops the server and removes its data. May be called twice. */
  stop(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

const NOBODY: RunAs = { uid: 65534, gid: 65534 };
const HOST = '127.0.0.1';
const SUPERUSER = 'postgres';
const PORT_ATTEMPTS = 5;
const START_TIMEOUT_MS = 30_000;
/** How long sessions have to end by themselves when the server stops. */
const SESSIONS_END_MS = 1_000;

/**
 * Starts a PostgreSQL server with SCRAM passwords and a random superuser password.
 *
 * @example
 * ```ts
 * await using server = await startPostgres();
 * await server.query(`create role app login password 'first'`);
 * ```
 */
export async function startPostgres(options: PostgresOptions = {}): Promise<PostgresServer> {
  const runAs = process.getuid?.() === 0 ? NOBODY : undefined;
  const directory = mkdtempSync(join(tmpdir(), 'hot-secrets-postgres-'));
  const password = randomBytes(18).toString('hex');
  let reloads = 0;
  const onLog = (line: string) => {
    if (line.includes('reloading configuration files')) reloads += 1;
    options.onLog?.(line);
  };
  try {
    own(directory, runAs);
    const bin = usableBinaries(directory, runAs);
    await initialise(bin, directory, password, runAs);
    allow(directory, options.hba ?? []);
    const settings = serverSettings(directory, options, runAs);
    const run = (port: number) =>
      start(
        [join(bin, 'postgres'), '-D', join(directory, 'data'), '-p', String(port), ...settings],
        directory,
        onLog,
        runAs,
      );
    const { server, port } = await listen(run);
    const presented = present(server, port, password, directory, () => run(port));
    return {
      ...presented,
      async renewCertificates(ssl) {
        const before = reloads;
        certificateFiles(directory, ssl, runAs);
        await presented.query('select pg_reload_conf()');
        // The process that logs this accepts connections too, and reloads before it accepts the next one.
        await waitFor(() => reloads > before, { what: 'the server to reload' });
      },
    };
  } catch (error) {
    rmSync(directory, { recursive: true, force: true });
    throw error;
  }
}

function present(
  server: Guarded,
  port: number,
  password: string,
  directory: string,
  again: () => ReturnType<typeof start>,
): Omit<PostgresServer, 'renewCertificates'> {
  const admin = administrator({ host: HOST, port, user: SUPERUSER, password, database: 'postgres' });
  let current = server;
  let stopping: Promise<void> | undefined;
  const signal = (name: 'SIGINT' | 'SIGTERM') => {
    const [pid] = readFileSync(join(directory, 'data', 'postmaster.pid'), 'utf8').split('\n');
    process.kill(Number(pid), name);
  };
  // A session reads late that its client has ended: pg.Pool would emit an error for one that is terminated before.
  const letSessionsEnd = async () => {
    try {
      signal('SIGTERM');
    } catch {
      return; // It does not run.
    }
    current.hold();
    await Promise.race([current.exited, timeout(SESSIONS_END_MS)]);
  };
  const stop = () => {
    stopping ??= admin
      .end()
      .then(letSessionsEnd)
      .then(() => current.stop())
      .then(() => rmSync(directory, { recursive: true, force: true }));
    return stopping;
  };
  return {
    host: HOST,
    port,
    database: 'postgres',
    superuser: SUPERUSER,
    password,
    query: admin.query,
    async shutDown() {
      signal('SIGINT');
      current.hold();
      await current.exited;
    },
    async start() {
      const started = await again();
      if ('output' in started) throw new Error(`PostgreSQL did not start again:\n${started.output}`);
      current = started.server;
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

async function initialise(bin: string, directory: string, password: string, runAs: RunAs | undefined) {
  const passwordFile = secretFile(directory, 'password', password, runAs);
  const output: string[] = [];
  const initdb = runGuarded(
    [
      ...[join(bin, 'initdb'), '-D', join(directory, 'data'), '-U', SUPERUSER, `--pwfile=${passwordFile}`],
      ...['-A', 'scram-sha-256', '-E', 'UTF8', '--locale=C', '--no-sync', '--no-instructions'],
    ],
    directory,
    runAs,
    (line) => output.push(line),
  );
  initdb.hold();
  const status = await initdb.exited;
  if (status !== 0) throw new Error(`initdb failed:\n${output.join('\n')}`);
  rmSync(passwordFile);
}

/** Adds lines before the default ones: the first line that matches a connection decides. */
function allow(directory: string, lines: readonly string[]): void {
  const path = join(directory, 'data', 'pg_hba.conf');
  writeFileSync(path, [...lines, readFileSync(path, 'utf8')].join('\n'));
}

async function listen(
  run: (port: number) => ReturnType<typeof start>,
): Promise<{ server: Guarded; port: number }> {
  for (let attempt = 1; ; attempt += 1) {
    const port = await freePort();
    const started = await run(port);
    if ('server' in started) return { server: started.server, port };
    const taken = started.output.includes('Address already in use');
    if (!taken || attempt === PORT_ATTEMPTS) throw new Error(`PostgreSQL did not start:\n${started.output}`);
  }
}

async function start(
  command: readonly string[],
  directory: string,
  onLog: PostgresOptions['onLog'],
  runAs: RunAs | undefined,
): Promise<{ server: Guarded } | { output: string }> {
  const output: string[] = [];
  let markReady = (_ready: 'ready') => {};
  const ready = new Promise<'ready'>((resolve) => {
    markReady = resolve;
  });
  const server = runGuarded(command, directory, runAs, (line) => {
    if (output.length < 50) output.push(line);
    if (line.includes('ready to accept connections')) markReady('ready');
    onLog?.(line);
  });
  server.hold();
  const outcome = await Promise.race([ready, server.exited, timeout(START_TIMEOUT_MS)]);
  if (outcome === 'ready') {
    server.release();
    return { server };
  }
  if (outcome === 'timeout') await server.stop();
  return { output: output.join('\n') };
}

function serverSettings(directory: string, options: PostgresOptions, runAs: RunAs | undefined): string[] {
  const { ssl, maxConnections = 100 } = options;
  const settings: Record<string, string> = {
    listen_addresses: HOST,
    unix_socket_directories: '',
    fsync: 'off',
    max_connections: String(maxConnections),
    ...options.settings,
  };
  if (ssl !== undefined) Object.assign(settings, { ssl: 'on', ...certificateFiles(directory, ssl, runAs) });
  return Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
}

function certificateFiles(
  directory: string,
  { cert, key, ca }: PostgresCertificates,
  runAs: RunAs | undefined,
): Record<string, string> {
  return {
    ssl_cert_file: secretFile(directory, 'server.crt', cert, runAs),
    ssl_key_file: secretFile(directory, 'server.key', key, runAs),
    ...(ca === undefined ? {} : { ssl_ca_file: secretFile(directory, 'ca.crt', ca, runAs) }),
  };
}

// The user of the server may have no access to a package below a home directory.
function usableBinaries(directory: string, runAs: RunAs | undefined): string {
  const { root, bin } = locatePostgres();
  const trial = spawnSync(join(bin, 'postgres'), ['--version'], { ...runAs, cwd: '/', stdio: 'ignore' });
  if (trial.status === 0 || runAs === undefined) return bin;
  const copy = join(directory, 'native');
  cpSync(root, copy, { recursive: true, verbatimSymlinks: true });
  // Every entry changes its owner, so that the guard can remove it.
  for (const entry of readdirSync(copy, { recursive: true }) as string[]) own(join(copy, entry), runAs);
  own(copy, runAs);
  return join(copy, 'bin');
}

function secretFile(directory: string, name: string, text: string, runAs: RunAs | undefined): string {
  const path = join(directory, name);
  writeFileSync(path, text, { mode: 0o600 });
  own(path, runAs);
  return path;
}

function own(path: string, runAs: RunAs | undefined): void {
  if (runAs !== undefined) lchownSync(path, runAs.uid, runAs.gid);
}

function timeout(ms: number): Promise<'timeout'> {
  return new Promise((resolve) => setTimeout(resolve, ms, 'timeout').unref());
}
