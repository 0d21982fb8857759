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
export async function startRedis({ open = false, cluster = false }: RedisOptions = {}): Promise<RedisServer> {
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
    const more = ['--save', '', '--appendonly', 'yes', ...ofCluster];
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

/** A node of a cluster listens on the port that is 10 000 higher, too. */
async function freeNodePort(): Promise<number> {
  for (;;) {
    const port = await freePort();
    if (port < 55_000) return port;
  }
}

/** Logs in and runs one command. */
async function runCommand(port: number, words: readonly string[]): Promise<string> {
  const socket = connect(port, HOST);
  try {
    await once(socket, 'connect');
    socket.write(encode(['auth', ...ADMIN]) + encode(words));
    const [login, reply] = await replies(socket, 2);
    if (login !== 'OK') throw new Error(login);
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
