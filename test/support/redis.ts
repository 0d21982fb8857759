import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findProgram } from './debian-server';
import { freePort } from './free-port';
import { type Guarded, runGuarded } from './postgres-binaries/guard';
import { waitFor } from './wait-for';

/** Options of `startRedis`. */
export interface RedisOptions {
  /** The default user needs no password, as on a server that nobody secured. */
  readonly open?: boolean;
  readonly cluster?: boolean;
  /** The port of the server that this one copies. */
  readonly replicaOf?: number;
}

/** A Redis server on a loopback port, with its own administrator. It ends with this process, even if this process is killed. */
export interface RedisServer extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  /** Runs a command as the administrator, over a connection of its own. Rejects with the text of an error reply. */
  command(...words: readonly string[]): Promise<string>;
  /** Sets the rules of a user: `user('app', 'on', '>first', '~*', '&*', '+@all')`. Without rules: full rights, no password. */
  user(name: string, ...rules: readonly string[]): Promise<void>;
  /** Closes the sessions of a user. */
  kill(name: string): Promise<void>;
  /** The number of sessions of a user. */
  sessions(name: string): Promise<number>;
  /** Stops the server; its data and users stay. */
  halt(): Promise<void>;
  /** Starts it again, on the same port. */
  resume(): Promise<void>;
}

const HOST = '127.0.0.1';
const ADMIN = ['administrator', 'not-a-secret'] as const;

/** Starts a Redis server whose default user is off. */
export async function startRedis(options: RedisOptions = {}): Promise<RedisServer> {
  const { open = false, cluster = false, replicaOf } = options;
  const directory = mkdtempSync(join(tmpdir(), 'hot-secrets-redis-'));
  const program = findProgram('redis-server');
  if (program === undefined) throw new Error('redis-server is not installed');
  const port = await freeNodePort();
  const aclFile = join(directory, 'users.acl');
  const first = open ? 'user default on nopass ~* &* +@all' : 'user default off';
  writeFileSync(aclFile, `${first}\nuser ${ADMIN[0]} on >${ADMIN[1]} ~* &* +@all\n`);
  let server: Guarded;
  const resume = async () => {
    const settings = ['--port', String(port), '--bind', HOST, '--dir', directory, '--aclfile', aclFile];
    const ofCluster = cluster ? ['--cluster-enabled', 'yes', '--cluster-announce-ip', HOST] : [];
    // Also for a server that becomes a replica.
    const ofReplica = ['--masteruser', ADMIN[0], '--masterauth', ADMIN[1], '--repl-diskless-sync-delay', '0'];
    if (replicaOf !== undefined) ofReplica.push('--replicaof', HOST, String(replicaOf));
    const more = ['--save', '', '--appendonly', 'yes', ...ofCluster, ...ofReplica];
    // A directory that the guard removes belongs to one run; ours outlives a halt.
    const scratch = mkdtempSync(join(tmpdir(), 'hot-secrets-redis-run-'));
    server = runGuarded([program, ...settings, ...more], scratch, undefined, () => {});
    await waitFor(() => command('ping'), { what: 'the Redis server to start' });
  };
  const command = (...words: readonly string[]) => runCommand(port, words);
  const halt = async () => {
    await command('acl', 'save');
    await server.stop();
  };
  await resume();
  return {
    host: HOST,
    port,
    command,
    async user(name, ...rules) {
      await command('acl', 'setuser', name, ...rules);
    },
    async kill(name) {
      await command('client', 'kill', 'user', name).catch(() => {});
    },
    async sessions(name) {
      const list = await command('client', 'list');
      return list.split('\n').filter((line) => line.includes(` user=${name} `)).length;
    },
    halt,
    resume,
    async [Symbol.asyncDispose]() {
      await server.stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** Starts a cluster of three primaries. */
export async function startRedisCluster(): Promise<readonly RedisServer[]> {
  const starts = [0, 5_461, 10_923, 16_384];
  const nodes: RedisServer[] = [];
  for (const [index, from] of starts.slice(0, 3).entries()) {
    const node = await startRedis({ cluster: true });
    await node.command('cluster', 'addslotsrange', String(from), String((starts[index + 1] as number) - 1));
    nodes.push(node);
  }
  const [first, ...others] = nodes as [RedisServer, ...RedisServer[]];
  for (const { host, port } of others) await first.command('cluster', 'meet', host, String(port));
  for (const node of nodes) {
    const isOk = async () =>
      /cluster_state:ok[\s\S]*cluster_known_nodes:3/.test(await node.command('cluster', 'info'));
    await waitFor(isOk, { timeoutMs: 20_000, what: 'the cluster' });
  }
  return nodes;
}

/** A sentinel with its own password, a primary and a replica. */
export interface SentinelStage extends AsyncDisposable {
  readonly nodes: readonly [RedisServer, RedisServer];
  readonly sentinel: { readonly host: string; readonly port: number; readonly password: string };
  /** Runs a command on the sentinel. */
  ask(...words: readonly string[]): Promise<string>;
  /** Makes the replica the primary. */
  failover(): Promise<void>;
  /** Stops a server for good. */
  halt(node: RedisServer): Promise<void>;
  isDown(node: RedisServer): boolean;
}

/** Starts a sentinel that watches a primary, called `main`, and its replica. */
export async function startSentinel(): Promise<SentinelStage> {
  const primary = await startRedis();
  const replica = await startRedis({ replicaOf: primary.port });
  const info = (server: RedisServer) => server.command('info', 'replication');
  await waitFor(async () => (await info(replica)).includes('master_link_status:up'), { what: 'the replica' });
  const port = await freePort();
  const scratch = mkdtempSync(join(tmpdir(), 'hot-secrets-sentinel-'));
  const file = join(scratch, 'sentinel.conf');
  const password = 'of-the-sentinel';
  writeFileSync(
    file,
    `port ${port}\nbind ${HOST}\ndir ${scratch}\nrequirepass ${password}\n` +
      `sentinel monitor main ${HOST} ${primary.port} 1\nsentinel auth-user main ${ADMIN[0]}\n` +
      `sentinel auth-pass main ${ADMIN[1]}\nsentinel down-after-milliseconds main 1000\n`,
  );
  const guarded = runGuarded(
    [findProgram('redis-server') as string, file, '--sentinel'],
    scratch,
    undefined,
    () => {},
  );
  const ask = (...words: readonly string[]) => runCommand(port, words, ['default', password]);
  await waitFor(async () => (await ask('info', 'sentinel')).includes('status=ok'), { what: 'the sentinel' });
  await waitFor(async () => (await ask('info', 'sentinel')).includes('slaves=1'), {
    what: 'the sentinel to find the replica',
  });
  const nodes = [primary, replica] as const;
  const down = new Set<RedisServer>();
  return {
    nodes,
    sentinel: { host: HOST, port, password },
    ask,
    async failover() {
      const roles = await Promise.all(nodes.map(info));
      const [from, to] = roles[0]?.includes('role:master') ? nodes : [nodes[1], nodes[0]];
      await ask('sentinel', 'failover', 'main');
      const isDone = async () =>
        (await info(to)).includes('role:master') && (await info(from)).includes('master_link_status:up');
      await waitFor(isDone, { timeoutMs: 30_000, what: 'the failover' });
    },
    async halt(node) {
      await node.halt();
      down.add(node);
    },
    isDown: (node) => down.has(node),
    async [Symbol.asyncDispose]() {
      await guarded.stop();
      await Promise.all(nodes.map((node) => node[Symbol.asyncDispose]()));
      rmSync(scratch, { recursive: true, force: true });
    },
  };
}

/** A node of a cluster listens on the port that is 10 000 higher, too. */
async function freeNodePort(): Promise<number> {
  for (;;) {
    const port = await freePort();
    if (port < 55_000) return port;
  }
}

/** Logs in and runs one command. */
async function runCommand(
  port: number,
  words: readonly string[],
  login: readonly string[] = ADMIN,
): Promise<string> {
  const socket = connect(port, HOST);
  try {
    await once(socket, 'connect');
    socket.write(encode(['auth', ...login]) + encode(words));
    const [accepted, reply] = await replies(socket, 2);
    if (accepted !== 'OK') throw new Error(accepted);
    return reply as string;
  } finally {
    socket.destroy();
  }
}

function encode(words: readonly string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`;
}

/** Reads simple, bulk, integer and null replies; an array counts as the text of its length. */
function replies(socket: Socket, count: number): Promise<string[]> {
  return new Promise((resolve, reject) => {
    let text = '';
    socket.setEncoding('utf8');
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('the server closed the connection')));
    socket.on('data', (chunk: string) => {
      text += chunk;
      const read: string[] = [];
      let at = 0;
      while (read.length < count) {
        const end = text.indexOf('\r\n', at);
        if (end < 0) return;
        const line = text.slice(at + 1, end);
        const kind = text[at];
        at = end + 2;
        if (kind === '-') return reject(new Error(line));
        if (kind !== '$' || line === '-1') {
          read.push(line);
          continue;
        }
        const bytes = Buffer.from(text.slice(at));
        if (bytes.length < Number(line) + 2) return;
        const bulk = bytes.subarray(0, Number(line)).toString();
        read.push(bulk);
        at += bulk.length + 2;
      }
      resolve(read);
    });
  });
}
