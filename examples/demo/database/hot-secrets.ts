import { mountedFiles, SecretStore } from 'hot-secrets';
import { createPool } from 'hot-secrets/pg';
import { POOL_SIZE } from './load';
import { query } from './query';
import type { StartService } from './service';

/** The service with hot-secrets: one pool, created once. */
export const startHotSecrets: StartService = async (mountPath, address, tell) => {
  const secrets = await SecretStore.open({
    secrets: { user: 'db-user', password: 'db-password' },
    sources: [mountedFiles(mountPath)],
  });
  secrets.on('error', (error) => tell(error.message));
  const pool = createPool(
    secrets,
    (s) => ({ ...address, user: s.reveal('user'), password: s.reveal('password'), max: POOL_SIZE }),
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
