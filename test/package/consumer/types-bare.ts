// A project with `skipLibCheck` and without the types of the peers: nothing that it gets may be `any`.
import { memory, SecretStore } from 'hot-secrets';
import { createServerCredentials } from 'hot-secrets/grpc';
import { createPool as createMysqlPool } from 'hot-secrets/mysql2';
import { type BasicPoolClient, createPool, type HotPool } from 'hot-secrets/pg';
import { createDispatcher } from 'hot-secrets/undici';

export async function bare(): Promise<HotPool> {
  const secrets = await SecretStore.open({ secrets: { user: 'user' }, sources: [memory({ user: 'app' })] });
  // @ts-expect-error A misspelt setting.
  createPool(secrets, (s) => ({ usr: s.reveal('user') }));
  // @ts-expect-error A user is no number.
  createPool(secrets, () => ({ user: 5 }));
  const pool = createPool(secrets, (s) => ({ user: s.reveal('user'), max: 10, ssl: { ca: [] } }));
  // @ts-expect-error No such method.
  pool.querry('select 1');
  const { rows } = await pool.query('select now() as at', []);
  // @ts-expect-error It may be anything.
  const at: Date = rows[0]?.at;
  const [row] = (await pool.query<{ id: number }>({ text: 'select 1 as id', values: [1] })).rows;
  const id: number | undefined = row?.id;
  const client: BasicPoolClient = await pool.connect();
  client.release();
  // Kysely requires it of a pool.
  const options: object = pool.options;
  void options;
  pool.on('error', (error) => void error);
  pool.rotation.on('swapped', ({ generation }) => generation.toFixed());
  const counts: number = pool.totalCount + pool.idleCount + pool.waitingCount + pool.rotation.staleCount;
  // @ts-expect-error The package is not installed, and so are its types.
  createDispatcher(secrets, (s) => ({ headers: s.reveal('user') })).dispatch;
  // @ts-expect-error So it is here.
  createServerCredentials(secrets, (s) => ({ cert: s.reveal('user') }))._isSecure();
  // @ts-expect-error The package is not installed, and so are its types.
  createMysqlPool(secrets, (s) => ({ user: s.reveal('user') })).query;
  await pool.end();
  return [id, at, counts].length > 0 ? pool : pool;
}
