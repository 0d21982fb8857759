import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { memory, SecretStore } from 'hot-secrets';
import { createPool } from 'hot-secrets/mysql2';
import mysql from 'mysql2';
import type { Outputs } from './outputs';
import { listeners } from './stage';
import { marks } from './values';

const EVENTS = ['swapped', 'rejected', 'drained', 'error', 'refused', 'accepted'] as const;
const QUICK = {
  verifyTimeoutMs: 100,
  authFailureWaitMs: 50,
  retryBaseMs: 5,
  retryMaxMs: 20,
  drainTimeoutMs: 50,
};
const pause = () => new Promise((resolve) => setTimeout(resolve, 150));

/** What a server says to a login: the error of mysql2's own server, nothing, or bytes that are no packet. */
const ANSWERS: Readonly<Record<string, { code: number; message: string } | 'yes' | 'nonsense' | 'nothing'>> =
  {
    'refuses every login': { code: 1045, message: "Access denied for user 'app'@'localhost'" },
    'has a locked account': { code: 3118, message: 'Access denied. Account is locked.' },
    'accepts every login': 'yes',
    'answers nonsense': 'nonsense',
    'answers nothing': 'nothing',
  };

type Answer = (typeof ANSWERS)[string];

async function startServer(answer: Answer): Promise<{ port: number; close(): void }> {
  if (typeof answer === 'object' || answer === 'yes') {
    const server = mysql.createServer((connection) => {
      connection.on('error', () => {});
      connection.serverHandshake({
        protocolVersion: 10,
        serverVersion: '8.0.0',
        connectionId: 1,
        statusFlags: 2,
        characterSet: 8,
        capabilityFlags: 0x00ff_f7ff,
        authCallback: (_: unknown, done: (error: null, result?: object) => void) =>
          done(null, answer === 'yes' ? undefined : answer),
      });
      connection.on('query', (sql: string) =>
        (connection as unknown as { writeError(error: object): void }).writeError({
          code: 1064,
          message: `You have an error near ${sql}`,
        }),
      );
    });
    server.listen(0);
    const inner = (server as unknown as { _server: import('node:net').Server })._server;
    await once(inner, 'listening');
    return { port: (inner.address() as AddressInfo).port, close: () => inner.close() };
  }
  const server = createServer((socket) => {
    socket.on('error', () => {});
    if (answer === 'nonsense') socket.write('HTTP/1.1 400 Bad Request\r\n\r\n');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { port: (server.address() as AddressInfo).port, close: () => server.close() };
}

/** A pool of mysql2, whose server answers the same to every login. */
export async function mysqlScenes(outputs: Outputs): Promise<void> {
  for (const [what, answer] of Object.entries(ANSWERS)) {
    outputs.scene(`a pool of mysql2 whose server ${what}`);
    const server = await startServer(answer);
    const source = memory({ one: marks.text.value });
    const store = await SecretStore.open({
      secrets: { one: 'one' },
      sources: [source],
      on: listeners(outputs) as never,
    });
    const shapes = {
      'a password': (s: typeof store) => ({
        host: '127.0.0.1',
        port: server.port,
        user: 'app',
        password: s.reveal('one'),
      }),
      'a uri': (s: typeof store) => ({
        uri: `mysql://app:${encodeURIComponent(s.reveal('one'))}@127.0.0.1:${server.port}/db`,
      }),
    };
    for (const [shape, recipe] of Object.entries(shapes)) {
      const pool = createPool(store, recipe as never, QUICK);
      for (const event of EVENTS) {
        pool.rotation.on(event as 'rejected', (payload: unknown) => {
          outputs.show(`event ${event}`, payload);
          outputs.error(`error of ${event}`, (payload as { error?: unknown }).error);
        });
      }
      pool.on('error' as never, ((error: unknown) => outputs.error('error event', error)) as never);
      for (const value of [marks.nextText.value, marks.text.value]) {
        const promised = pool.promise();
        const used = Promise.allSettled([promised.query('select 1'), promised.getConnection()]);
        await Promise.race([used, pause()]);
        for (const result of (await Promise.race([
          used,
          Promise.resolve([]),
        ])) as PromiseSettledResult<unknown>[]) {
          if (result.status === 'rejected') outputs.error(`error of a call, ${shape}`, result.reason);
        }
        outputs.showClient(`pool with ${shape}`, pool);
        outputs.showClient(`promise pool with ${shape}`, promised);
        outputs.showClient('config of a pool', (pool as unknown as { config: object }).config);
        for (const connection of (
          pool as unknown as { _allConnections: { toArray(): object[] } }
        )._allConnections.toArray())
          outputs.showClient('connection of a pool', connection);
        source.set({ one: value });
        await store.refresh();
        await pause();
      }
      await Promise.race([promisedEnd(pool), pause()]);
    }
    await store.close();
    server.close();
  }
}

const promisedEnd = (pool: { end(done: (error: unknown) => void): void }) =>
  new Promise<void>((resolve) => pool.end(() => resolve()));
