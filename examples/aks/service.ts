// The whole program of the container. examples/aks/README.md describes the cluster around it.
import { createServer } from 'node:https';
import express from 'express';
import { mountedFiles, SecretStore, secret } from 'hot-secrets';
import { attachSecrets, closeWithServer } from 'hot-secrets/express';
import { basicAuth, eventGridHandler, querySecret } from 'hot-secrets/http';
import { keyVault } from 'hot-secrets/key-vault';
import { createPool } from 'hot-secrets/pg';
import { attachSecureContext } from 'hot-secrets/tls';

const {
  SECRET_MOUNTS = '/mnt/secrets-store',
  KEY_VAULT_URL = '',
  DATABASE_HOST = '',
  DATABASE_PORT = '5432',
  DATABASE_NAME = 'shop',
  PORT = '8443',
} = process.env;

// One line of JSON for each event. The alert "service-degraded" counts the errors.
const log = (event: string, details: object) =>
  console.log(JSON.stringify({ event, time: new Date(), ...details }));

const secrets = await SecretStore.open({
  name: 'shop',
  secrets: {
    dbUser: 'database-user',
    dbPassword: 'database-password',
    web: secret.tls('web-tls'), // a Key Vault certificate as objectType: secret, or a pod certificate
    databaseTrust: secret.tls({ ca: 'database-ca.pem' }).optional(), // without it, Node's own authorities count
    opsPassword: secret.text('ops-password', { keepPreviousMs: 60_000 }),
    webhookCode: secret.text('webhook-code', { keepPreviousMs: 3_600_000 }),
    partnerKey: 'partner-key', // only in the vault, so that Event Grid announces a new version within seconds
  },
  sources: [
    ...SECRET_MOUNTS.split(':').map((path) => mountedFiles(path)),
    keyVault({ vaultUrl: KEY_VAULT_URL }), // signs in with the workload identity
  ],
  on: {
    error: ({ code, message }) => log('error', { code, message }),
    recovered: ({ code }) => log('recovered', { code }),
    expiring: ({ name, daysLeft }) => log('expiring', { name, daysLeft }),
    change: ({ generation, trigger, changes }) =>
      log('change', { generation, trigger, names: changes.map(({ name }) => name) }),
  },
});

const pool = createPool(secrets, (s) => ({
  host: DATABASE_HOST,
  port: Number(DATABASE_PORT),
  database: DATABASE_NAME,
  user: s.reveal('dbUser'),
  password: s.reveal('dbPassword'),
  ssl: { ...s.reveal('databaseTrust') },
  max: 10,
}));
pool.on('error', ({ message }) => log('connection-lost', { message }));

const app = express();
attachSecrets(app, secrets, { endpoints: { authorize: basicAuth(secrets, 'opsPassword') } });
const authorize = querySecret(secrets, 'webhookCode', { header: 'authorization' });
app.all('/hooks/event-grid', eventGridHandler(secrets, { authorize, spreadMs: 2_000 }).node);
app.get('/orders', async (req, res) => {
  const { rows } = await pool.query('select current_user as "user"');
  res.json({ ...rows[0], generation: req.secrets.generation });
});

const server = createServer({ minVersion: 'TLSv1.2' }, app);
attachSecureContext(server, secrets, (s) => s.reveal('web'));
const storeClosed = closeWithServer(server, secrets);
server.listen(Number(PORT), () => log('listening', { address: server.address() }));

process.once('SIGTERM', async () => {
  server.close();
  server.closeIdleConnections();
  await storeClosed; // after the last request
  await pool.end();
});
