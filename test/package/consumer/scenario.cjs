'use strict';
const assert = require('node:assert/strict');
const { X509Certificate } = require('node:crypto');
const { once } = require('node:events');
const http = require('node:http');
const { createServer, get } = require('node:https');

/** What a service does with the package: open, read, rotate, observe the change, create a pool, close. */
exports.scenario = async function scenario(copy, peer) {
  // A store does not keep a process alive. This timer does while the scenario waits for events.
  const alive = setTimeout(() => {
    throw new Error('no rotation arrived within 20 s');
  }, 20_000);
  await followRotations(copy, peer);
  await rotatingWithMemory(copy.main);
  await plainDirectory(copy.main, copy.testing);
  await followCertificates(copy);
  await serveRequests(copy);
  clearTimeout(alive);
};

async function followRotations({ main, pg, testing }, { Pool }) {
  const mount = await testing.createTestMount({ 'database-user': 'app', 'database-password': 'first-value' });
  try {
    const store = await main.SecretStore.open({
      secrets: { user: 'database-user', password: main.secret.text('database-password') },
      sources: [main.mountedFiles(mount.path), main.environment({})],
    });
    assert.equal(store.reveal('password'), 'first-value');
    assert.ok(main.isSecret(store.get('password')));
    assert.equal(String(store.get('password')), '[secret password]');
    assert.throws(
      () => store.reveal('pasword'),
      (error) => main.isSecretsError(error, 'NAME_UNKNOWN'),
    );

    const pool = pg.createPool(store, (s) => ({
      host: '127.0.0.1',
      port: 9,
      user: s.reveal('user'),
      password: s.reveal('password'),
    }));
    assert.ok(pool instanceof Pool);
    await pool.end();

    for (const value of ['second-value', 'third-value', 'fourth-value']) {
      const change = new Promise((resolve) => {
        const stop = store.on('change', (event) => {
          stop();
          resolve(event);
        });
      });
      await mount.rotate({ 'database-password': value });
      const { changes } = await change;
      assert.deepEqual(
        changes.map(({ name, kind }) => `${kind} ${name}`),
        ['rotated password'],
      );
      assert.equal(store.reveal('password'), value);
    }
    assert.equal(store.redact('fourth-value'), '[secret password]');
    await store.close();
  } finally {
    await mount.cleanup();
  }
}

async function rotatingWithMemory({ SecretStore, memory, rotating }) {
  const source = memory({ token: 'first-token' });
  const store = await SecretStore.open({ secrets: { token: 'token' }, sources: [source] });
  const client = rotating(store, { build: (s) => ({ token: s.reveal('token') }) });
  await client.ready;
  const rotated = new Promise((resolve) => client.on('swapped', resolve));
  source.set({ token: 'second-token' });
  await rotated;
  assert.equal(client.current.token, 'second-token');
  await client.close();
  await store.close();
}

/** A server that demands client certificates, and a client. Both follow the same pair. */
async function followCertificates({ main, tls, https }) {
  const { ca, pairs } = require('./pairs.json');
  const source = main.memory({ 'tls.crt': pairs[0].chain, 'tls.key': pairs[0].key, 'ca.crt': ca });
  const store = await main.SecretStore.open({
    secrets: {
      web: main.secret.tls({ cert: 'tls.crt', key: 'tls.key' }),
      ca: main.secret.tls({ ca: 'ca.crt' }, { keepPreviousMs: 60_000 }),
    },
    sources: [source],
  });
  const trusted = (s) => ({
    ...s.reveal('web'),
    ca: s.revealWithPrevious('ca').flatMap((value) => value.ca),
  });
  const server = createServer({ requestCert: true, minVersion: 'TLSv1.3' }, (request, response) => {
    response.end(request.socket.getPeerCertificate().serialNumber);
  });
  if (process.versions.bun !== undefined) {
    const attach = () => tls.attachSecureContext(server, store, trusted);
    assert.throws(attach, (error) => main.isSecretsError(error, 'RUNTIME_UNSUPPORTED'));
    await store.close();
    return;
  }
  const attached = tls.attachSecureContext(server, store, trusted);
  const agent = https.createAgent(store, (s) => ({ ...trusted(s), keepAlive: true }));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  for (const pair of [...pairs, pairs[0]]) {
    source.set({ 'tls.crt': pair.chain, 'tls.key': pair.key });
    await store.refresh();
    await new Promise(setImmediate);
    const { serialNumber } = new X509Certificate(pair.cert);
    const [response] = await once(get({ agent, host: 'localhost', port: server.address().port }), 'response');
    assert.equal(response.socket.getPeerX509Certificate().serialNumber, serialNumber);
    assert.equal((await response.setEncoding('utf8').toArray()).join(''), serialNumber);
  }
  assert.equal(store.health().expiries.length, 2);
  agent.destroy();
  await new Promise((closed) => server.close(closed));
  await attached.close();
  await store.close();
}

/** A `node:http` service with the middleware of a framework: snapshots, endpoints, a signal. */
async function serveRequests({ main, express, endpoints }) {
  const source = main.memory({ user: 'value-0', password: 'value-0', ops: 'ops-value' });
  const { watch: _watch, ...silent } = source;
  const store = await main.SecretStore.open({
    secrets: { user: 'user', password: 'password', ops: 'ops' },
    sources: [silent],
  });
  const authorize = endpoints.basicAuth(store, 'ops');
  const middleware = express.secretsMiddleware(store, { endpoints: { authorize } });
  const server = http.createServer((request, response) => {
    middleware(request, response, async (error) => {
      assert.equal(error, undefined);
      const user = request.secrets.reveal('user');
      if (request.url === '/reload-within') await store.refresh();
      response.end(JSON.stringify([user, request.secrets.reveal('password')]));
    });
  });
  assert.throws(() => endpoints.statusHandler(store, {}), { code: 'OPTION_INVALID' });
  const closed = express.closeWithServer(server, store);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const base = `http://127.0.0.1:${server.address().port}`;
  const headers = { authorization: `Basic ${Buffer.from('ops:ops-value').toString('base64')}` };

  assert.deepEqual(await (await fetch(`${base}/`)).json(), ['value-0', 'value-0']);
  source.set({ user: 'value-1', password: 'value-1' });
  assert.deepEqual(await (await fetch(`${base}/reload-within`)).json(), ['value-0', 'value-0']);
  source.set({ user: 'value-2', password: 'value-2' });
  const reloaded = await fetch(`${base}/-/secrets/reload`, { method: 'POST', headers });
  assert.deepEqual(await reloaded.json(), { generation: 3, changed: ['user', 'password'], status: 'ok' });
  assert.deepEqual(await (await fetch(`${base}/`)).json(), ['value-2', 'value-2']);
  assert.equal((await fetch(`${base}/-/secrets`)).status, 401);
  const page = await fetch(`${base}/-/secrets`, { headers: { ...headers, accept: 'text/html' } });
  assert.match(await page.text(), /^<!doctype html>/i);
  assert.equal((await endpoints.healthCheck(store)()).status, 'ok');

  if (process.platform !== 'win32') {
    const changed = new Promise((resolve) => store.on('change', resolve));
    main.reloadOnSignal(store, 'SIGHUP');
    source.set({ user: 'value-3', password: 'value-3' });
    process.kill(process.pid, 'SIGHUP');
    assert.equal((await changed).trigger, 'sighup');
  }
  server.close();
  server.closeAllConnections();
  await closed;
  assert.equal(process.listenerCount('SIGHUP'), 0);
}

/** The layout that needs chokidar, which is ESM only. */
async function plainDirectory({ SecretStore, mountedFiles }, { createTestMount }) {
  const mount = await createTestMount({ token: 'first-token' }, { layout: 'plain' });
  try {
    const warnings = [];
    const store = await SecretStore.open({
      secrets: { token: 'token' },
      sources: [mountedFiles(mount.path, { pollIntervalMs: 60_000 })],
    });
    store.on('error', (error) => warnings.push(error.code));
    const change = new Promise((resolve) => store.on('change', resolve));
    await mount.rotate({ token: 'second-token' });
    const { trigger } = await change;
    assert.equal(trigger, 'watch');
    assert.equal(store.reveal('token'), 'second-token');
    assert.deepEqual(warnings, []);
    await store.close();
  } finally {
    await mount.cleanup();
  }
}
