'use strict';
const assert = require('node:assert/strict');

/** What a service does with the package: open, read, rotate, see the change, make a pool, close. */
exports.scenario = async function scenario(copy, peer) {
  // A store keeps no process alive: somebody has to, while this one waits for its events.
  const alive = setTimeout(() => {
    throw new Error('a rotation was not seen within 20 s');
  }, 20_000);
  await followRotations(copy, peer);
  await rotatingWithMemory(copy.main);
  await plainDirectory(copy.main, copy.testing);
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
