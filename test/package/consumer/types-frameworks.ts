import express from 'express';
import fastify from 'fastify';
import { Hono } from 'hono';
import { reloadOnSignal, SecretStore, type Snapshot, secret } from 'hot-secrets';
import { attachSecrets, closeWithServer, secretsMiddleware } from 'hot-secrets/express';
import { hotSecrets } from 'hot-secrets/fastify';
import { secretsMiddleware as ofHono, type SecretsVariables } from 'hot-secrets/hono';
import {
  basicAuth,
  healthCheck,
  healthHandler,
  healthIndicator,
  reloadHandler,
  statusHandler,
} from 'hot-secrets/http';
import { secretsMiddleware as ofKoa } from 'hot-secrets/koa';
import Koa from 'koa';

const secrets = await SecretStore.open({ secrets: { user: 'user', key: secret.bytes('key') } });

declare global {
  namespace HotSecrets {
    interface Register {
      store: typeof secrets;
    }
  }
}

type Values = { readonly user: string; readonly key: Uint8Array };

const app = express();
const authorize = basicAuth(secrets, 'user');
attachSecrets(app, secrets, { endpoints: { authorize }, onRotate: (_event, { signal }) => signal.aborted });
express.Router().use(secretsMiddleware(secrets));
app.get('/', (request, response) => {
  const user: string = request.secrets.reveal('user');
  const key: Uint8Array = request.secrets.reveal('key');
  // @ts-expect-error Nobody declared it.
  request.secrets.reveal('pasword');
  response.json([user, key.length]);
});
app.all('/reload', reloadHandler(secrets, { authorize }).node);
app.get('/status', statusHandler(secrets, { authorize }).node);
app.get('/ready', healthHandler(secrets).node);
void closeWithServer(app.listen(0), secrets);
reloadOnSignal(secrets, 'SIGHUP');
void healthCheck(secrets)();
void healthIndicator(secrets, 'store')().then(({ store }) => store.status);

const other = fastify();
await other.register(hotSecrets, { store: secrets, closeStore: false });
other.get('/', async (request) => {
  const user: string = request.secrets.reveal('user');
  // @ts-expect-error Nobody declared it.
  request.secrets.reveal('pasword');
  return [user, other.secrets.generation];
});

new Koa().use(ofKoa(secrets)).use((ctx) => {
  const snapshot: Snapshot<Values> = ctx.secrets;
  ctx.body = snapshot.reveal('user');
});

const hono = new Hono<{ Variables: SecretsVariables<Values> }>();
hono.use(ofHono(secrets));
hono.get('/', (c) => c.text(c.get('secrets').reveal('user')));
