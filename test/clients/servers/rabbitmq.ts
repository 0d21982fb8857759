import { chownSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findProgram } from '../../support/debian-server';
import { runGuarded } from '../../support/postgres-binaries/guard';
import { waitFor } from '../../support/wait-for';
import type { Server } from '../measure';

const HOST = '127.0.0.1';
const OPERATOR = { user: 'operator', password: 'operator-password' };
const NOBODY = { uid: 65534, gid: 65534 };
/** Debian's command in `PATH` insists on a user of its own. */
const PROGRAM = '/usr/lib/rabbitmq/bin/rabbitmq-server';

/** A RabbitMQ server, changed and watched through its management API. */
export interface RabbitMq extends Server {
  readonly hostname: string;
  readonly port: number;
  readonly operator: { readonly username: string; readonly password: string };
}

export async function startRabbitMq(): Promise<RabbitMq> {
  const runAs = process.getuid?.() === 0 ? NOBODY : undefined;
  // Each program removes its own folder when it ends.
  const directory = mkdtempSync(join(tmpdir(), 'hot-secrets-rabbitmq-'));
  const names = mkdtempSync(join(tmpdir(), 'hot-secrets-epmd-'));
  const [port, management, distribution, epmdPort] = await freePorts(4);
  const log = join(directory, 'rabbit.log');
  writeFileSync(join(directory, 'rabbitmq.conf'), configuration(management as number));
  writeFileSync(join(directory, 'enabled_plugins'), '[rabbitmq_management].\n');
  if (runAs !== undefined) for (const path of [directory, names]) chownSync(path, runAs.uid, runAs.gid);
  // Erlang would start one that outlives the server.
  const epmd = runGuarded(
    [findProgram('epmd') as string, '-port', String(epmdPort), '-address', HOST],
    names,
    runAs,
    () => {},
  );
  const environment = {
    HOME: directory,
    ERL_EPMD_PORT: epmdPort,
    RABBITMQ_ALLOW_INPUT: '1',
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '-noinput',
    RABBITMQ_NODENAME: `hot-secrets-${port}@localhost`,
    RABBITMQ_NODE_IP_ADDRESS: HOST,
    RABBITMQ_NODE_PORT: port,
    RABBITMQ_DIST_PORT: distribution,
    RABBITMQ_MNESIA_BASE: join(directory, 'mnesia'),
    RABBITMQ_LOG_BASE: directory,
    RABBITMQ_LOGS: log,
    RABBITMQ_CONFIG_FILE: join(directory, 'rabbitmq.conf'),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(directory, 'enabled_plugins'),
  };
  const settings = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
  const server = runGuarded(['/usr/bin/env', ...settings, PROGRAM], directory, runAs, () => {});
  const call = caller(management as number);
  const logged = () => (existsSync(log) ? readFileSync(log, 'utf8') : '');
  try {
    await waitFor(() => call('GET', 'overview'), { what: 'RabbitMQ to start', timeoutMs: 120_000 });
  } catch (error) {
    const said = logged().slice(-2_000);
    await Promise.all([server.stop(), epmd.stop()]);
    for (const path of [directory, names]) rmSync(path, { recursive: true, force: true });
    throw new Error(`RabbitMQ did not start:\n${said}`, { cause: error });
  }
  return {
    hostname: HOST,
    port: port as number,
    operator: { username: OPERATOR.user, password: OPERATOR.password },
    refused: () => logged().split('login refused').length - 1,
    async changePassword(user, password) {
      await call('PUT', `users/${user}`, { password, tags: '' });
      await call('PUT', `permissions/%2F/${user}`, { configure: '.*', write: '.*', read: '.*' });
    },
    async sessions() {
      const connections = (await call('GET', 'connections')) as { name: string; user?: string }[];
      return connections.filter(({ user = '' }) => user.startsWith('app_')).map(({ name }) => name);
    },
    async [Symbol.asyncDispose]() {
      await server.stop();
      await epmd.stop();
      for (const path of [directory, names]) rmSync(path, { recursive: true, force: true });
    },
  };
}

const configuration = (management: number) => `default_user = ${OPERATOR.user}
default_pass = ${OPERATOR.password}
management.tcp.ip = ${HOST}
management.tcp.port = ${management}
collect_statistics_interval = 1000
`;

function caller(port: number) {
  const login = Buffer.from(`${OPERATOR.user}:${OPERATOR.password}`).toString('base64');
  return async (method: string, path: string, body?: object): Promise<unknown> => {
    const response = await fetch(`http://${HOST}:${port}/api/${path}`, {
      method,
      headers: { authorization: `Basic ${login}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (!response.ok) throw new Error(`RabbitMQ answered ${response.status} to ${method} ${path}.`);
    return method === 'GET' ? response.json() : undefined;
  };
}

/** Ports that were free a moment ago. */
async function freePorts(count: number): Promise<number[]> {
  const probes = Array.from({ length: count }, () => createServer());
  const ports: number[] = [];
  for (const probe of probes) {
    await new Promise<void>((resolve) => probe.listen(0, HOST, resolve));
    ports.push((probe.address() as { port: number }).port);
  }
  for (const probe of probes) await new Promise((resolve) => probe.close(resolve));
  return ports;
}
