// Runs the same application on two ports: without secrets, and in the requested variant. Both share one process, so that
// noise of the machine affects them equally. Plain JavaScript, so that it starts without a loader.
import { once } from 'node:events';
import express from 'express';
import fastify from 'fastify';
import { attachSecrets, secretsMiddleware } from '../../dist/express.js';
import { hotSecrets } from '../../dist/fastify.js';
import { memory, SecretStore } from '../../dist/index.js';

const [framework, other] = process.argv.slice(2);
const TOKEN = 'a token, long as a password';
const secrets = await SecretStore.open({ secrets: { token: 'token' }, sources: [memory({ token: TOKEN })] });

const readConstant = () => ({ length: TOKEN.length });
const readSecret = (request) => ({ length: request.secrets.reveal('token').length });
const readNothing = () => ({ length: 0 });

async function startExpress(use, read) {
  const app = express();
  use(app);
  app.get('/secret', (request, response) => {
    response.json(read(request));
  });
  app.get('/nothing', (_request, response) => {
    response.json(readNothing());
  });
  const server = app.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server.address().port;
}

async function startFastify(use, read) {
  const app = fastify();
  await use(app);
  app.get('/secret', async (request) => read(request));
  app.get('/nothing', async () => readNothing());
  await app.listen({ port: 0, host: '127.0.0.1' });
  return app.server.address().port;
}

const apps = {
  express: {
    without: () => startExpress(() => {}, readConstant),
    with: () => startExpress((app) => attachSecrets(app, secrets), readSecret),
    middleware: () => startExpress((app) => app.use(secretsMiddleware(secrets)), readSecret),
    idle: () => startExpress((app) => app.use((_request, _response, next) => next()), readConstant),
  },
  fastify: {
    without: () => startFastify(() => {}, readConstant),
    with: () => startFastify((app) => app.register(hotSecrets, { store: secrets }), readSecret),
  },
}[framework];

process.send({ without: await apps.without(), other: await apps[other]() });
process.on('disconnect', () => process.exit(0));
process.on('SIGINT', () => {});
