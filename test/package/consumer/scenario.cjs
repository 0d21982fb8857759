'use strict';
const assert = require('node:assert/strict');
const { X509Certificate } = require('node:crypto');
const { once } = require('node:events');
const { createServer, get } = require('node:https');

/** What a service does with the package: open, read, rotate, see the change, make a pool, close. */
exports.scenario = async function scenario(copy, peer) {
  // A store keeps no process alive: somebody has to, while this one waits for its events.
  const alive = setTimeout(() => {
    throw new Error('a rotation was not seen within 20 s');
  }, 20_000);
  await followRotations(copy, peer);
  await rotatingWithMemory(copy.main);
  await plainDirectory(copy.main, copy.testing);
  await followCertificates(copy);
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
  const rotated = new Promise((resolve) => client.on('rotated', resolve));
  source.set({ token: 'second-token' });
  await rotated;
  assert.equal(client.current.token, 'second-token');
  await client.close();
  await store.close();
}

/** A server that demands client certificates, and a client: both follow the same pair. */
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
  const trusted = (s) => ({ ...s.reveal('web'), ca: s.revealAll('ca').flatMap((value) => value.ca) });
  const server = createServer({ requestCert: true, minVersion: 'TLSv1.3' }, (request, response) => {
    response.end(request.socket.getPeerCertificate().serialNumber);
  });
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
