import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findProgram } from './debian-server';
import { runGuarded } from './postgres-binaries/guard';
import { waitFor } from './wait-for';

/** A NATS server on a loopback port. It ends with this process, even if this process is killed. */
export interface NatsServer extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  /** A user whose password never changes. */
  readonly operator: { readonly user: string; readonly pass: string };
  /** Adds a user, or changes its password: the server then closes the sessions of the user. */
  changePassword(user: string, password: string): Promise<void>;
  /** The open sessions of the users that were added. */
  connections(): Promise<readonly { readonly key: string; readonly role: string }[]>;
  /** The logins that the server has refused so far. */
  refused(): number;
}

const HOST = '127.0.0.1';
const OPERATOR = { user: 'operator', pass: 'operator-password' };

/** Starts a NATS server whose users come from its configuration, which it reloads. */
export async function startNats(): Promise<NatsServer> {
  const program = findProgram('nats-server');
  if (program === undefined) throw new Error('nats-server is not installed.');
  const directory = mkdtempSync(join(tmpdir(), 'hot-secrets-nats-'));
  const config = join(directory, 'nats.conf');
  const pidFile = join(directory, 'nats.pid');
  const [port, monitor] = await freePorts();
  const users = new Map([[OPERATOR.user, OPERATOR.pass]]);
  const write = () => writeFileSync(config, configuration(users, port, monitor, pidFile), { mode: 0o600 });
  let [refused, reloads, ready] = [0, 0, false];
  write();
  const server = runGuarded([program, '-c', config], directory, undefined, (line) => {
    if (line.includes('Server is ready')) ready = true;
    if (/Reloaded server configuration/.test(line)) reloads += 1;
    if (/authentication error/.test(line)) refused += 1;
  });
  await waitFor(() => ready, { what: 'nats-server to start', timeoutMs: 30_000 });
  return {
    host: HOST,
    port,
    operator: OPERATOR,
    refused: () => refused,
    async changePassword(user, password) {
      users.set(user, password);
      write();
      const before = reloads;
      process.kill(Number(readFileSync(pidFile, 'utf8')), 'SIGHUP');
      await waitFor(() => reloads > before, { what: 'nats-server to reload' });
    },
    async connections() {
      const response = await fetch(`http://${HOST}:${monitor}/connz?auth=true&limit=4096`);
      const { connections = [] } = (await response.json()) as {
        connections?: { cid: number; authorized_user?: string }[];
      };
      return connections
        .map(({ cid, authorized_user: role = '' }) => ({ key: String(cid), role }))
        .filter(({ role }) => role !== OPERATOR.user);
    },
    async [Symbol.asyncDispose]() {
      await server.stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function configuration(
  users: ReadonlyMap<string, string>,
  port: number,
  monitor: number,
  pidFile: string,
): string {
  const lines = [...users].map(([user, password]) => `    { user: "${user}", password: "${password}" }`);
  return `host: ${HOST}\nport: ${port}\nhttp: "${HOST}:${monitor}"\npid_file: "${pidFile}"
authorization {\n  timeout: 10\n  users: [\n${lines.join('\n')}\n  ]\n}\n`;
}

/** Two ports that were free a moment ago. */
async function freePorts(): Promise<[number, number]> {
  const probes = [createServer(), createServer()];
  const ports = await Promise.all(
    probes.map(
      (probe) =>
        new Promise<number>((resolve, reject) => {
          probe.once('error', reject);
          probe.listen(0, HOST, () => resolve((probe.address() as { port: number }).port));
        }),
    ),
  );
  await Promise.all(probes.map((probe) => new Promise((resolve) => probe.close(resolve))));
  return ports as [number, number];
}
