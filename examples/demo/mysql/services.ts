import { mountedFiles, SecretStore } from 'hot-secrets';
import { createPromisePool } from 'hot-secrets/mysql2';
import { createPool, type Pool } from 'mysql2/promise';
import { POOL_SIZE } from '../database/load';
import type { StartService } from '../database/service';

const open = (mountPath: string) =>
  SecretStore.open({
    secrets: { user: 'db-user', password: 'db-password' },
    sources: [mountedFiles(mountPath)],
  });

/** The service as it is often written: on a change, it ends the pool and creates a new one. */
export const startNaive: StartService = async (mountPath, address) => {
  const secrets = await open(mountPath);
  const newPool = () => {
    const { user, password } = { user: secrets.reveal('user'), password: secrets.reveal('password') };
    return createPool({ ...address, user, password, connectionLimit: POOL_SIZE });
  };
  let pool = newPool();
  secrets.on('change', async () => {
    await pool.end();
    pool = newPool();
  });
  return {
    send: (close) => query(pool, close),
    async close() {
      await secrets.close();
      await pool.end();
    },
  };
};

/** The service with hot-secrets: one pool, created once. */
export const startHotSecrets: StartService = async (mountPath, address, tell) => {
  const secrets = await open(mountPath);
  secrets.on('error', (error) => tell(error.message));
  const pool = createPromisePool(
    secrets,
    (s) => ({
      ...address,
      user: s.reveal('user'),
      password: s.reveal('password'),
      connectionLimit: POOL_SIZE,
    }),
    // The demo rotates every few seconds. The default is twenty seconds.
    { retireOverMs: 1_000 },
  );
  pool.rotation.on('refused', () => tell('the database refuses the current password: new connections wait'));
  pool.rotation.on('accepted', ({ waitedMs }) => tell(`logins work again after ${Math.round(waitedMs)} ms`));
  pool.rotation.on('rejected', ({ error }) =>
    tell(`the new password does not work (${error.code}) and is not used`),
  );
  return {
    send: (close) => query(pool, close),
    async close() {
      await pool.end();
      await secrets.close();
    },
  };
};

async function query(pool: Pool, close: boolean): Promise<void> {
  const connection = await pool.getConnection();
  try {
    await connection.query('select sleep(0.02)');
  } finally {
    if (close) connection.destroy();
    else connection.release();
  }
}
