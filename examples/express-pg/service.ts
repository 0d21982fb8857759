import express from 'express';
import { type SecretStore, secret } from 'hot-secrets';
import { attachSecrets, closeWithServer } from 'hot-secrets/express';
import { basicAuth } from 'hot-secrets/http';
import { createPool } from 'hot-secrets/pg';

export const definitions = {
  dbPassword: 'db-password',
  opsPassword: secret.text('ops-password', { keepPreviousMs: 60_000 }),
  partnerKey: 'partner-key',
};

export type Secrets = SecretStore<Readonly<Record<keyof typeof definitions, string>>>;

/** Where the database is. The password comes from the store. */
export interface Address {
  readonly host: string;
  readonly port: number;
  readonly database: string;
}

/** The whole service as it would run in a pod. No line of it handles rotations. */
export function startService(secrets: Secrets, address: Address) {
  const pool = createPool(
    secrets,
    (s) => ({
      ...address,
      user: 'app',
      password: s.reveal('dbPassword'),
      max: 4,
      // Connections end for many reasons, and each new one needs a login. Here they end after 25 queries.
      maxUses: 25,
    }),
    { retireOverMs: 200 },
  );

  const app = express();
  attachSecrets(app, secrets, { endpoints: { authorize: basicAuth(secrets, 'opsPassword') } });
  app.get('/orders', async (req, res) => {
    const { rows } = await pool.query('select now() as at');
    res.json({ ...rows[0], generation: req.secrets.generation });
  });

  // In a pod: app.listen(8080), and process.once('SIGTERM', stop).
  const server = app.listen(0, '127.0.0.1');
  const storeClosed = closeWithServer(server, secrets);
  async function stop(): Promise<void> {
    server.close();
    await storeClosed; // after the last request
    await pool.end();
  }
  return { server, pool, stop };
}
