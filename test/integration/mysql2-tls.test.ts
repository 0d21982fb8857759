import { X509Certificate } from 'node:crypto';
import { inspect } from 'node:util';
import { mountedFiles, SecretStore, secret } from 'hot-secrets';
import { type CreatePoolOptions, createPool, type HotPool } from 'hot-secrets/mysql2';
import { createTestMount } from 'hot-secrets/testing';
import type { RowDataPacket, SslOptions } from 'mysql2';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { type Authority, createAuthority, type Issued, type IssueOptions } from '../support/certificates';
import { startLoad } from '../support/load';
import { type MysqlHarness, startMysqlHarness } from '../support/mysql-harness';
import { hasMysqlServer, isMysql } from '../support/mysql-programs';
import { createPfx } from '../support/pfx';
import { waitFor } from '../support/wait-for';

/** Long enough for the server to change its certificate. */
const GRACE_MS = 2_000;
const PASSPHRASE = 'fictitious passphrase';

/** The files of a client certificate in the mount. */
function files({ chain: cert, key }: Issued, format: 'PEM' | 'PFX' = 'PEM'): Record<string, string | Buffer> {
  if (format === 'PEM') return { 'client.crt': cert, 'client.key': key };
  return { 'client.pfx': createPfx({ cert, key, password: PASSPHRASE }), 'client.password': PASSPHRASE };
}

/** A line that only this key has. */
const lineOf = (pem: string) => pem.split('\n')[1] ?? '';

describe.runIf(hasMysqlServer())('TLS of a pool of mysql2', () => {
  let clients: Authority;
  let servers: Authority;
  let harness: MysqlHarness;

  /** Makes the server show a certificate. */
  async function show(by: Authority, options: IssueOptions = {}): Promise<void> {
    await harness.server.renewCertificates(await shown(by, options));
  }

  async function shown(by: Authority, options: IssueOptions = {}) {
    const { chain: cert, key } = await by.issue(options);
    // MySQL demands that its own certificate is one of these authorities.
    return { cert, key, ca: clients.cert + by.cert };
  }

  beforeAll(async () => {
    [clients, servers] = await Promise.all([createAuthority('Clients'), createAuthority('Servers')]);
    harness = await startMysqlHarness({ ssl: await shown(servers) });
  });
  afterAll(() => harness.server.stop());

  /** A user with a client certificate, and a store that follows the files. */
  async function stage(format: 'PEM' | 'PFX' = 'PEM', trusted = servers) {
    const user = await harness.user('first');
    await harness.alter(user, 'require x509');
    const first = await clients.issue({ commonName: user });
    const mount = await createTestMount({
      ...files(first, format),
      'ca.crt': trusted.cert,
      password: 'first',
    });
    const secrets = await SecretStore.open({
      secrets: {
        password: 'password',
        client:
          format === 'PEM'
            ? secret.tls({ cert: 'client.crt', key: 'client.key' })
            : secret.tls('client.pfx', { passphrase: 'client.password' }),
        ca: secret.tls({ ca: 'ca.crt' }, { keepPreviousMs: GRACE_MS }),
      },
      sources: [mountedFiles(mount.path)],
    });
    onTestFinished(async () => {
      await secrets.close();
      await mount.cleanup();
    });
    const { host, port, database } = harness.server;
    const pool = (ssl: SslOptions | 'none' = {}, options: CreatePoolOptions = {}) => {
      const made = createPool(
        secrets,
        (s) => ({
          ...{ host, port, database, user, password: s.reveal('password'), connectionLimit: 8 },
          ...(ssl !== 'none' && {
            ssl: {
              ...s.reveal('client'),
              ca: s.revealWithPrevious('ca').flatMap(({ ca }) => ca),
              verifyIdentity: true,
              ...ssl,
            },
          }),
        }),
        { retireOverMs: 100, retryBaseMs: 10, retryMaxMs: 20, ...options },
      );
      onTestFinished(() => void made.end());
      return made;
    };
    return { user, first, mount, pool };
  }

  /** A query on a connection of which every tenth is closed, so that the pool keeps logging in. */
  const churning = (pool: HotPool) => async () => {
    const connection = await pool.promise().getConnection();
    await connection.query('select sleep(0.003)');
    if (Math.random() < 0.1) connection.destroy();
    else connection.release();
  };

  const version = async (pool: HotPool) => {
    const sql = `show session status like 'Ssl_version'`;
    const [rows] = await pool.promise().query<RowDataPacket[]>(sql);
    return rows[0]?.Value;
  };

  const failure = (call: Promise<unknown>) =>
    call.then(
      () => undefined,
      ({ code, message }: { code: unknown; message: string }) => ({ code, message }),
    );

  it.each(['TLSv1.3', 'TLSv1.2'] as const)('connects with %s to a server of the authority', async (max) => {
    const { pool: make } = await stage();
    expect(await version(make({ maxVersion: max }))).toBe(max);
  });

  it('rejects callers with the error of mysql2 while the authority of the server is another one, reports it, and recovers', async () => {
    const { mount, pool: make } = await stage('PEM', await createAuthority('Servers'));
    const pool = make({}, { authFailureWaitMs: 500 });
    const events: string[] = [];
    pool.rotation.on('refused', ({ error: { code, message } }) => events.push(`${code} ${message}`));
    expect(await failure(version(pool))).toMatchObject({ code: 'HANDSHAKE_SSL_ERROR' });
    expect(events).toEqual([
      expect.stringMatching(/^CREDENTIAL_REFUSED .*the server's certificate is not trusted/),
    ]);
    await mount.rotate({ 'ca.crt': servers.cert });
    await waitFor(async () => (await failure(version(pool))) === undefined);
  });

  it.each([
    ['of an unknown authority', () => createAuthority('Servers'), {}, 'CREDENTIAL_REFUSED', 'not trusted'],
    ['for another host', () => servers, { hosts: ['db.internal'] }, 'VERIFY_FAILED', 'HANDSHAKE_SSL_ERROR'],
    ['expired', () => servers, { notAfter: new Date(0) }, 'VERIFY_FAILED', 'HANDSHAKE_SSL_ERROR'],
  ] as const)(
    'keeps its connections while the certificate of the server at a rotation is %s, and swaps when it is right again',
    async (kind, by, options, code, detail) => {
      // MySQL loads no certificate that has expired.
      if (isMysql && kind === 'expired') return;
      const { user, mount, pool: make } = await stage();
      const pool = make();
      const rejected: string[] = [];
      pool.rotation.on('rejected', ({ error }) => rejected.push(`${error.code} ${error.message}`));
      const held = await Promise.all(Array.from({ length: 8 }, () => pool.promise().getConnection()));
      for (const connection of held) connection.release();
      const load = startLoad(16, () => pool.promise().query('select sleep(0.003)'));
      await show(await by(), options);
      await harness.alter(user, `identified by 'second'`);
      await mount.rotate({ password: 'second' });
      await waitFor(() => rejected.length === 1);
      const reached = load.done + 100;
      await waitFor(() => load.done > reached);
      expect(pool.rotation.generation).toBe(1);
      await show(servers);
      await waitFor(() => pool.rotation.generation === 2 && pool.rotation.staleCount === 0);
      expect((await load.stop()).failures).toEqual([]);
      expect(rejected).toEqual([expect.stringMatching(new RegExp(`^${code} .*${detail}`))]);
    },
  );

  it('fails no query while the authority of the server rotates, and trusts only the new one after the grace window', async () => {
    const { mount, pool: make } = await stage();
    const pool = make();
    const load = startLoad(8, churning(pool));
    await waitFor(() => load.done > 100);
    const trusted = () => {
      const { ssl } = (pool as unknown as { config: { connectionConfig: { ssl: { ca: string[] } } } }).config
        .connectionConfig;
      return ssl.ca.map((ca) => new X509Certificate(ca).subject);
    };
    for (const round of [1, 2, 3]) {
      const next = await createAuthority(`Servers ${round}`);
      const before = trusted().at(0);
      await mount.rotate({ 'ca.crt': next.cert });
      await waitFor(() => trusted().length === 2 && pool.rotation.staleCount === 0);
      expect(trusted()).toEqual([`CN=Servers ${round}`, before]);
      await show(next);
      await waitFor(() => trusted().length === 1, { timeoutMs: GRACE_MS + 5_000 });
      expect(trusted()).toEqual([`CN=Servers ${round}`]);
      const reached = load.done + 100;
      await waitFor(() => load.done > reached);
      servers = next;
    }
    expect((await load.stop()).failures).toEqual([]);
  });

  it('fails no query while client certificates rotate, and keeps the old one while the new one is refused', async () => {
    const { user, mount, pool: make } = await stage();
    const subject = (name: string) => `require subject '/CN=${name}'`;
    const pool = make();
    const rejected: string[] = [];
    pool.rotation.on('rejected', ({ error }) => rejected.push(`${error.code} ${error.message}`));
    const load = startLoad(8, churning(pool));
    await waitFor(() => load.done > 100);
    const issue = (by: Authority, round: number) =>
      by.issue({ commonName: `${user} ${round}`, key: round === 2 ? 'rsa' : 'ec' });

    for (const round of [1, 2, 3]) {
      // The server accepts a certificate of its authority only.
      await mount.rotate(files(await issue(await createAuthority('Clients'), round)));
      await waitFor(() => rejected.length === round);
      await mount.rotate(files(await issue(clients, round)));
      await waitFor(() => pool.rotation.generation === 2 * round + 1 && pool.rotation.staleCount === 0);
      // Each new login proves that it shows the new certificate.
      await harness.alter(user, subject(`${user} ${round}`));
      const reached = load.done + 200;
      await waitFor(() => load.done > reached);
      await harness.alter(user, 'require x509');
    }
    expect((await load.stop()).failures).toEqual([]);
    expect(harness.refused(user)).toBe(0);
    expect(rejected).toEqual(Array(3).fill(expect.stringMatching(/^CREDENTIAL_REFUSED .*TLS alert 48/)));
  });

  it.each(['PEM', 'PFX'] as const)('prints no private key and no passphrase (%s)', async (format) => {
    const { user, first, mount, pool: make } = await stage(format);
    const pool = make();
    const next = await clients.issue({ commonName: user });
    for (const { key } of [first, next]) {
      const connection = await pool.promise().getConnection();
      for (const shown of [pool, pool.rotation, connection]) {
        const text = inspect(shown, { depth: 20, getters: true, maxStringLength: null });
        // Compares booleans, so that a failure does not print the key.
        expect([text.includes(lineOf(key)), text.includes(PASSPHRASE)]).toEqual([false, false]);
      }
      connection.release();
      await mount.rotate(files(next, format));
      await waitFor(() => pool.rotation.generation === 2 && pool.rotation.staleCount === 0);
    }
  });

  describe.runIf(isMysql)('with caching_sha2_password of MySQL', () => {
    it.each([
      ['without TLS, with the public key of the server', false],
      ['with TLS', true],
    ])('logs in %s, after a change of the password and again', async (_kind, secure) => {
      const { user, mount, pool: make } = await stage();
      if (!secure) await harness.alter(user, 'require none');
      const pool = make(secure ? {} : 'none');
      expect(pool.rotation.generation).toBe(1);
      for (const round of [1, 2, 3]) {
        // The cache of the server is empty after this: the next login authenticates in full.
        await harness.alter(user, `identified by 'round-${round}'`);
        await mount.rotate({ password: `round-${round}` });
        await waitFor(() => pool.rotation.generation === round + 1);
        for (const _login of ['full', 'fast']) {
          const connection = await pool.promise().getConnection();
          await connection.query('select 1');
          connection.destroy();
        }
      }
      expect(harness.refused(user)).toBe(0);
    });

    it('rotates a user that retains its password without one refused login, whichever side is first', async () => {
      const { user, mount, pool: make } = await stage();
      const pool = make();
      const load = startLoad(8, churning(pool));
      await waitFor(() => load.done > 100);
      for (const round of [1, 2, 3]) {
        await harness.alter(user, `identified by 'round-${round}' retain current password`);
        const reached = load.done + 200;
        await waitFor(() => load.done > reached);
        await mount.rotate({ password: `round-${round}` });
        await waitFor(() => pool.rotation.generation === round + 1 && pool.rotation.staleCount === 0);
        await harness.alter(user, 'discard old password');
      }
      expect((await load.stop()).failures).toEqual([]);
      expect(harness.refused(user)).toBe(0);
    });
  });
});
