import { mountedFiles, SecretStore } from 'hot-secrets';
import pg from 'pg';
import { POOL_SIZE } from './load';
import { query } from './query';
import type { StartService } from './service';

/** The service as it is often written: on a change, it ends the pool and creates a new one. Changes reach it as early. */
export const startNaive: StartService = async (mountPath, address) => {
  const secrets = await SecretStore.open({
    secrets: { user: 'db-user', password: 'db-password' },
    sources: [mountedFiles(mountPath)],
  });
  const newPool = () => {
    const { user, password } = { user: secrets.reveal('user'), password: secrets.reveal('password') };
    return new pg.Pool({ ...address, user, password, max: POOL_SIZE }).on('error', () => {});
  };
  let pool = newPool();
  secrets.on('change', async () => {
    await pool.end();
    pool = newPool();
  });
  return {
    query: (close) => query(pool, close),
    async close() {
      await secrets.close();
      await pool.end();
    },
  };
};
