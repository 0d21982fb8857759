import { X509Certificate } from 'node:crypto';
import { inspect } from 'node:util';
import { mountedFiles, SecretStore, secret } from 'hot-secrets';
import { type CreatePoolOptions, createPool } from 'hot-secrets/pg';
import { createTestMount } from 'hot-secrets/testing';
import type { PoolConfig } from 'pg';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { type Authority, createAuthority, type Issued } from '../support/certificates';
import { startHoldingProxy } from '../support/holding-proxy';
import { startLoad } from '../support/load';
import { createPfx } from '../support/pfx';
import { type PgHarness, startPgHarness } from '../support/pg-harness';
import { waitFor } from '../support/wait-for';

/** Long enough for the server to change its certificate. */
const GRACE_MS = 2000;

let clients: Authority;
let servers: Authority;
let harness: PgHarness;
beforeAll(async () => {
  [clients, servers] = await Promise.all([createAuthority('Clients'), createAuthority('Servers 0')]);
  const { chain: cert, key } = await servers.issue();
  harness = await startPgHarness({
    ssl: { cert, key, ca: clients.cert },
    hba: ['hostssl all all 127.0.0.1/32 cert clientcert=verify-full'],
  });
});
afterAll(() => harness.server.stop());

const PASSPHRASE = 'fictitious passphrase';

/** The files of a certificate in the mount. */
function files({ chain: cert, key }: Issued, format: 'PEM' | 'PFX' = 'PEM'): Record<string, string | Buffer> {
  if (format === 'PEM') return { 'client.crt': cert, 'client.key': key };
  return { 'client.pfx': createPfx({ cert, key, password: PASSPHRASE }), 'client.password': PASSPHRASE };
}

/** A role with its first certificate, and a store that follows the files. */
async function certifiedRole(format: 'PEM' | 'PFX' = 'PEM') {
  const role = await harness.role('unused');
  const first = await clients.issue({ commonName: role });
  const mount = await createTestMount({ ...files(first, format), 'ca.crt': servers.cert });
  const secrets = await SecretStore.open({
    secrets: {
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
  const pool = (config: PoolConfig = {}, options: CreatePoolOptions = {}) => {
    const made = createPool(
      secrets,
      (s) => ({
        ...{ host, port, database, user: role, max: 8, ...config },
        ssl: { ...s.reveal('client'), ca: s.revealWithPrevious('ca').flatMap(({ ca }) => ca) },
      }),
      { retireOverMs: 100, ...options },
    );
    onTestFinished(() => void made.end());
    return made;
  };
  return { role, first, mount, secrets, pool };
}

/** Waits until the role has eight connections, all with this certificate. */
async function shownByAll(role: string, { cert }: Issued): Promise<void> {
  const serial = BigInt(`0x${new X509Certificate(cert).serialNumber}`).toString();
  await waitFor(async () => {
    const all = await serials(role);
    return all.length === 8 && all.every((one) => one === serial);
  });
}

/** The serial numbers of the certificates of a role's connections, as the server sees them. */
async function serials(role: string): Promise<string[]> {
  const sql = `select client_serial::text as serial from pg_stat_ssl
    join pg_stat_activity using (pid) where usename = $1`;
  return (await harness.server.query<{ serial: string }>(sql, [role])).rows.map(({ serial }) => serial);
}

const QUERY = 'select pg_sleep(0.003)';

describe('the client certificate of a pool', () => {
  it('fails no query while client certificates rotate under load, and uses each on every connection', async () => {
    const { role, mount, pool: make } = await certifiedRole();
    const pool = make();
    const load = startLoad(16, () => pool.query(QUERY));
    await waitFor(() => load.done > 100);

    for (const round of [1, 2, 3]) {
      const next = await clients.issue({ commonName: role, key: round === 2 ? 'rsa' : 'ec' });
      await mount.rotate(files(next));
      await waitFor(() => pool.rotation.generation === round + 1 && pool.rotation.staleCount === 0);
      await shownByAll(role, next);
    }
    expect((await load.stop()).failures).toEqual([]);
    expect(harness.refused(role)).toBe(0);
  });

  const fromUnknownAuthority = async (role: string) =>
    (await createAuthority('Clients')).issue({ commonName: role });
  const forAnotherRole = () => clients.issue({ commonName: 'another' });
  it.each([
    ['of an unknown authority', fromUnknownAuthority, 'CREDENTIAL_REFUSED', 'TLS alert 48'],
    ['for another role', forAnotherRole, 'CREDENTIAL_REFUSED', '28000'],
  ])(
    'keeps the old client certificate while the new one is %s, reports it once, and then uses a valid one',
    async (_kind, issue, code, detail) => {
      const { role, mount, pool: make } = await certifiedRole();
      // The pool opens connections all the time, which use the old certificate.
      const pool = make({ maxUses: 20 }, { retryBaseMs: 10, retryMaxMs: 20 });
      const rejected: { generation: number; error: unknown }[] = [];
      pool.rotation.on('rejected', ({ generation, error }) => rejected.push({ generation, error }));
      const load = startLoad(16, () => pool.query(QUERY));
      await waitFor(() => load.done > 100);

      const refused = await issue(role);
      const refusal = new RegExp(`certificate verify failed|authentication failed for user "${role}"`);
      const before = harness.logged(refusal);
      await mount.rotate(files(refused));
      await waitFor(() => harness.logged(refusal) >= before + 3);
      const reached = load.done + 200;
      await waitFor(() => load.done > reached);
      expect(rejected).toMatchObject([{ generation: 2, error: { code } }]);
      expect(`${rejected[0]?.error}`).toContain(detail);
      expect(inspect(rejected, { depth: 12, showHidden: true }).includes(lineOf(refused.key))).toBe(false);

      const right = await clients.issue({ commonName: role });
      await mount.rotate(files(right));
      await waitFor(() => pool.rotation.generation === 3 && pool.rotation.staleCount === 0);
      await shownByAll(role, right);
      expect((await load.stop()).failures).toEqual([]);
      expect(rejected).toHaveLength(1);
    },
  );

  it('fails no query of a busy pool when the server refuses the certificate before the new one is in the mount', async () => {
    const { role, mount, pool: make } = await certifiedRole();
    const pool = make({ maxUses: 5 });
    const refused: string[] = [];
    pool.rotation.on('refused', ({ error }) => refused.push(error.message));
    const load = startLoad(40, () => pool.query(QUERY));
    await waitFor(() => load.done > 100);

    for (const round of [1, 2]) {
      clients = await createAuthority('Clients');
      const { chain: cert, key } = await servers.issue();
      await harness.server.renewCertificates({ cert, key, ca: clients.cert });
      await waitFor(() => refused.length === round && pool.waitingCount >= 30);
      await mount.rotate(files(await clients.issue({ commonName: role })));
      await waitFor(() => pool.rotation.generation === round + 1);
      const reached = load.done + 200;
      await waitFor(() => load.done > reached);
    }
    expect((await load.stop()).failures).toEqual([]);
    for (const message of refused) expect(message).toContain('TLS alert 48');
  });

  it('keeps the old client certificate while the new one does not match its key', async () => {
    const { role, mount, secrets, pool: make } = await certifiedRole();
    const errors: unknown[] = [];
    secrets.on('error', (error) => errors.push(error.code));
    const pool = make();
    await pool.query('select 1');
    const [one, other] = await Promise.all([1, 2].map(() => clients.issue({ commonName: role })));
    await mount.rotate({ 'client.crt': one?.chain ?? '', 'client.key': other?.key ?? '' });
    await waitFor(() => errors.length > 0);
    expect(errors).toEqual(['PRIVATE_KEY_MISMATCH']);
    expect((await pool.query('select 1 as n')).rows).toEqual([{ n: 1 }]);
    expect(pool.rotation.generation).toBe(1);
  });
});

describe('the authority of the server of a pool', () => {
  it('fails no query while the authority rotates: trusts both in the grace window, and then only the new one', async () => {
    const { role, mount, pool: make } = await certifiedRole();
    const pool = make({ maxUses: 20 });
    const load = startLoad(16, () => pool.query(QUERY));
    await waitFor(() => load.done > 100);
    const trusted = () =>
      (pool.options.ssl as { ca: string[] }).ca.map((ca) => new X509Certificate(ca).subject);

    for (const round of [1, 2]) {
      const next = await createAuthority(`Servers ${round}`);
      await mount.rotate({ 'ca.crt': next.cert });
      await waitFor(() => pool.rotation.generation === round + 1 && pool.rotation.staleCount === 0);
      expect(trusted()).toEqual([`CN=Servers ${round}`, `CN=Servers ${round - 1}`]);

      const { chain: cert, key } = await next.issue();
      await harness.server.renewCertificates({ cert, key, ca: clients.cert });
      const logins = harness.accepted(role);
      await waitFor(() => harness.accepted(role) >= logins + 8);
      await waitFor(() => trusted().length === 1, { timeoutMs: GRACE_MS + 5000 });
      expect(trusted()).toEqual([`CN=Servers ${round}`]);
      servers = next;
    }
    const reached = load.done + 200;
    await waitFor(() => load.done > reached);
    expect((await load.stop()).failures).toEqual([]);
  });

  it('retires connections that trusted the old authority when its grace window ends, and keeps newer ones', async () => {
    const { mount, pool: make } = await certifiedRole();
    const pool = make({ max: 3 }, { drainTimeoutMs: 1_000 });
    const drained: unknown[] = [];
    pool.rotation.on('drained', ({ generation, forced }) => drained.push([generation, forced]));
    const backends = async () => {
      const asked = [1, 2, 3].map(() =>
        pool.query<{ pid: number }>('select pg_backend_pid() as pid, pg_sleep(0.1)'),
      );
      return (await Promise.all(asked)).map(({ rows }) => rows[0]?.pid);
    };
    await mount.rotate({ 'ca.crt': servers.cert + (await createAuthority()).cert });
    await waitFor(() => drained.length === 1);
    const overlapping = await backends();
    await waitFor(() => drained.length === 2, { timeoutMs: GRACE_MS + 5000 });
    await waitFor(() => pool.rotation.staleCount === 0);
    const alone = await backends();
    for (const pid of alone) expect(overlapping).not.toContain(pid);
    // Longer than drainTimeoutMs of the old connections.
    await pool.query('select pg_sleep(1.2)');
    expect(new Set(await backends())).toEqual(new Set(alone));
    expect(drained).toEqual([
      [1, false],
      [2, false],
    ]);
  });

  it('retries a login whose authority rotates while it waits', async () => {
    const { role, mount, secrets } = await certifiedRole();
    await using proxy = await startHoldingProxy(harness.server);
    const { host, port, database } = harness.server;
    const pool = createPool(secrets, (s) => ({
      ...{ host, database, user: role, port: s.generation === 1 ? proxy.port : port },
      ssl: { ...s.reveal('client'), ca: s.reveal('ca').ca },
    }));
    onTestFinished(() => void pool.end());
    proxy.hold();
    const query = pool.query('select 1 as n');
    await waitFor(() => proxy.held === 1);
    const next = await createAuthority('Servers, new');
    const { chain: cert, key } = await next.issue();
    await harness.server.renewCertificates({ cert, key, ca: clients.cert });
    await mount.rotate({ 'ca.crt': next.cert });
    await waitFor(() => pool.rotation.generation === 2);
    servers = next;
    proxy.release();
    expect((await query).rows).toEqual([{ n: 1 }]);
  });
});

describe('the private key of a pool', () => {
  it.each(['PEM', 'PFX'] as const)(
    'keeps private keys and passphrases out of everything that a pool prints (%s)',
    async (format) => {
      const { role, first, mount, pool: make } = await certifiedRole(format);
      const pool = make();
      const expectHidden = async ({ key }: Issued) => {
        const client = await pool.connect();
        for (const shown of [pool, pool.options, pool.rotation, client]) {
          const text = inspect(shown, { depth: 20, getters: true, maxStringLength: null });
          // Compares booleans, so that a failure does not print the key.
          expect([text.includes(lineOf(key)), text.includes(PASSPHRASE)]).toEqual([false, false]);
        }
        expect(Object.keys(pool.options.ssl as object)).toEqual(
          expect.arrayContaining(['ca', 'secureContext']),
        );
        expect(pool.options.ssl).not.toHaveProperty('pfx');
        client.release();
      };
      await expectHidden(first);
      for (const round of [1, 2, 3]) {
        const next = await clients.issue({ commonName: role });
        await mount.rotate(files(next, format));
        await waitFor(() => pool.rotation.generation === round + 1 && pool.rotation.staleCount === 0);
        await expectHidden(next);
      }
    },
  );
});

/** A line that only this key has. */
function lineOf(pem: string): string {
  return pem.split('\n')[1] ?? '';
}
