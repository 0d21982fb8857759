import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { json } from 'node:stream/consumers';
import type { TLSSocket } from 'node:tls';
import {
  createKeyVaultEmulator,
  createTestMount,
  type KeyVaultEmulator,
  type TestMount,
} from 'hot-secrets/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { canDropPrivileges } from '../support/as-other-user';
import { type Authority, createAuthority, type Issued } from '../support/certificates';
import { gridSample } from '../support/event-grid';
import { startLoad } from '../support/load';
import { serialOf } from '../support/mutual-tls';
import { type PostgresServer, startPostgres } from '../support/postgres';
import { waitFor } from '../support/wait-for';
import { containerOf, type Manifest, manifests, one } from './support/aks';
import { fromRepository, repository } from './support/repository';

/** Bytes as the driver writes them for `objectType: secret` of a PEM or PKCS#12 certificate: the key first. */
const keyFirst = ({ key, chain }: Issued) => key + chain;

const cleanups: (() => unknown)[] = [];
let authority: Authority;
let database: PostgresServer;
let container: Manifest;
let pod: Manifest;
beforeAll(async () => {
  const base = await manifests('base');
  container = containerOf(base);
  pod = one(base, 'Deployment').spec.template.spec;
  authority = await createAuthority();
  database = await startPostgres({ ssl: await authority.issue({ hosts: ['127.0.0.1', 'localhost'] }) });
  cleanups.push(() => database.stop());
});
afterAll(async () => {
  for (const clean of cleanups.reverse()) await clean();
});

describe('the sample service of examples/aks', () => {
  let stage: Stage;
  let service: Service;
  beforeAll(async () => {
    stage = await startStage();
    service = await startService(stage, [stage.mount]);
  });

  it('fails no request while password, user and certificate rotate in the layout of the driver', async () => {
    const fresh = startLoad(3, () => orders(service.url));
    const agent = new Agent({ keepAlive: true, maxSockets: 2, ca: authority.cert });
    const kept = startLoad(2, () => orders(service.url, agent));
    await waitFor(() => fresh.done > 20 && kept.done > 20, { what: 'the first requests' });

    for (const round of [2, 3, 4]) {
      const pair = await authority.issue({ commonName: `web-${round}` });
      const user = await createUser(`password-${round}`);
      await stage.mount.rotate({
        'database-user': user,
        'database-password': `password-${round}`,
        'web-tls': keyFirst(pair),
      });
      const answer = await waitFor(
        async () => {
          const seen = await orders(service.url);
          return seen.body.user === user && seen.serial === serialOf(pair) ? seen : undefined;
        },
        { what: `the values of round ${round}` },
      );
      expect(answer?.body.generation).toBe(round);
      const before = { fresh: fresh.done, kept: kept.done };
      await waitFor(() => fresh.done > before.fresh + 20 && kept.done > before.kept + 20);
    }

    const results = [await fresh.stop(), await kept.stop()];
    agent.destroy();
    expect(results.flatMap(({ failures }) => failures)).toEqual([]);
    expect(service.lines('error')).toEqual([]);
  });

  it('reads a new version from the vault when Event Grid announces it with the right code', async () => {
    const changes = service.lines('change').length;
    await stage.vault.set('partner-key', 'partner-2');
    const announce = (code: string) =>
      call(`${service.url}/hooks/event-grid`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${code}` },
        body: JSON.stringify([gridSample]),
      });
    expect((await announce('wrong-code')).status).toBe(401);
    expect((await announce('hook-code')).status).toBe(200);
    const change = await waitFor(() => service.lines('change')[changes], { what: 'the new version' });
    expect(change).toMatchObject({ trigger: 'event-grid', names: ['partnerKey'] });
  });

  it('passes every probe of the manifests while it is degraded', async () => {
    const { livenessProbe, readinessProbe, startupProbe } = container;
    await stage.mount.rotate({ 'web-tls': 'not a certificate' });
    await waitFor(() => service.lines('error').length > 0, { what: 'the error of the bad certificate' });
    for (const { httpGet } of [livenessProbe, readinessProbe, startupProbe]) {
      expect(httpGet).toMatchObject({ scheme: 'HTTPS', port: 'https' });
      expect((await call(`${service.url}${httpGet.path}`)).status).toBe(200);
    }
    const { body } = await call(`${service.url}${readinessProbe.httpGet.path}`);
    expect(body).toMatchObject({ status: 'degraded' });
    await stage.mount.rotate({ 'web-tls': keyFirst(await authority.issue()) });
    await waitFor(() => service.lines('recovered').length > 0, { what: 'the recovery' });
  });

  it('ends with status 0 after SIGTERM', async () => {
    expect(await service.stop()).toBe(0);
  });
});

it('prefers the pod certificate and the trust bundle of a second mount', async () => {
  const stage = await startStage({ 'database-ca.pem': 'never read' });
  const pair = await authority.issue({ commonName: 'pod' });
  const projected = await createMount({ 'web-tls': keyFirst(pair), 'database-ca.pem': authority.cert });
  const service = await startService(stage, [projected, stage.mount]);
  expect(await orders(service.url)).toMatchObject({ status: 200, serial: serialOf(pair) });
  for (const commonName of ['pod-2', 'pod-3', 'pod-4']) {
    const next = await authority.issue({ commonName });
    await projected.rotate({ 'web-tls': keyFirst(next) });
    await waitFor(async () => (await orders(service.url)).serial === serialOf(next));
  }
  expect(await service.stop()).toBe(0);
});

it.skipIf(!canDropPrivileges || process.geteuid?.() !== 0)(
  'names filePermission when the user of the container may not read a file',
  async () => {
    const stage = await startStage({}, 0o400);
    const { exited, output } = spawnService(stage, [stage.mount]);
    expect(await exited).not.toBe(0);
    expect(output()).toContain('FILE_UNREADABLE');
    expect(output()).toContain('filePermission');
    expect(output()).not.toContain('password-1');
  },
);

type Service = Awaited<ReturnType<typeof startService>>;

interface Stage {
  readonly mount: TestMount;
  readonly vault: KeyVaultEmulator;
}

async function createMount(content: Record<string, string>, mode = 0o444): Promise<TestMount> {
  const mount = await createTestMount(content, { mode });
  chmodSync(dirname(mount.path), 0o755);
  cleanups.push(() => mount.cleanup());
  return mount;
}

/** The files of the SecretProviderClass, with its modes, and a vault. */
async function startStage(changed: Record<string, string> = {}, mode?: number): Promise<Stage> {
  const vault = await createKeyVaultEmulator({ name: 'shop-dev', secrets: { 'partner-key': 'partner-1' } });
  cleanups.push(() => vault.close());
  const content = {
    'database-user': await createUser('password-1'),
    'database-password': 'password-1',
    'database-ca.pem': authority.cert,
    'web-tls': keyFirst(await authority.issue({ commonName: 'web-1' })),
    'ops-password': 'ops-value',
    'webhook-code': 'hook-code',
    ...changed,
  };
  return { vault, mount: await createMount(content, mode) };
}

let users = 0;
async function createUser(password: string): Promise<string> {
  users += 1;
  await database.query(`create role app_${users} login password '${password}'`);
  return `app_${users}`;
}

/** The program of the container, as its user if this process may change it. */
function spawnService({ vault }: Stage, mounts: readonly TestMount[]) {
  const { runAsUser: uid, runAsGroup: gid } = pod.securityContext;
  const folder = mkdtempSync(join(tmpdir(), 'hot-secrets-aks-'));
  chmodSync(folder, 0o755);
  cleanups.push(() => rmSync(folder, { recursive: true, force: true }));
  // The emulator writes both for its own user alone.
  const readable = (name: string) => {
    const copy = join(folder, name);
    writeFileSync(copy, readFileSync(vault.environment[name] as string), { mode: 0o444 });
    return copy;
  };
  mkdirSync(join(folder, 'tmp'), { mode: 0o777 });
  chmodSync(join(folder, 'tmp'), 0o777);
  const child: ChildProcess = spawn(
    process.execPath,
    ['--import', 'tsx', fromRepository('examples/aks/service.ts')],
    {
      cwd: repository,
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(process.geteuid?.() === 0 && { uid, gid }),
      env: {
        PATH: process.env.PATH,
        TMPDIR: join(folder, 'tmp'),
        ...vault.environment,
        NODE_EXTRA_CA_CERTS: readable('NODE_EXTRA_CA_CERTS'),
        AZURE_FEDERATED_TOKEN_FILE: readable('AZURE_FEDERATED_TOKEN_FILE'),
        SECRET_MOUNTS: mounts.map(({ path }) => path).join(':'),
        KEY_VAULT_URL: vault.vaultUrl,
        DATABASE_HOST: database.host,
        DATABASE_PORT: String(database.port),
        DATABASE_NAME: database.database,
        PORT: '0',
      },
    },
  );
  cleanups.push(() => {
    child.kill('SIGKILL');
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
  }
  const exited = new Promise<number | null>((resolve) => child.once('close', resolve));
  return { child, exited, output: () => text };
}

async function startService(stage: Stage, mounts: readonly TestMount[]) {
  const { child, exited, output } = spawnService(stage, mounts);
  const lines = (event: string) =>
    output()
      .split('\n')
      .filter((line) => line.startsWith(`{"event":"${event}"`))
      .map((line) => JSON.parse(line));
  const { address } = await waitFor(
    () => {
      if (child.exitCode !== null) throw new Error(output());
      return lines('listening')[0];
    },
    { timeoutMs: 25_000, what: 'the service' },
  );
  return {
    url: `https://127.0.0.1:${address.port}`,
    lines,
    /** Ends the service as Kubernetes does, and resolves with its status. */
    stop() {
      child.kill('SIGTERM');
      return exited;
    },
  };
}

interface Call {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
  readonly agent?: Agent;
}

/** Sends one request, over a connection of its own unless there is an agent. */
async function call(url: string, { method = 'GET', headers, body, agent }: Call = {}) {
  return new Promise<{ status: number | undefined; serial: string; body: Record<string, unknown> }>(
    (resolve, reject) => {
      const options = { method, ca: authority.cert, agent: agent ?? false, ...(headers && { headers }) };
      const sent = request(url, options, (response) => {
        const { serialNumber: serial } = (response.socket as TLSSocket).getPeerCertificate();
        const { statusCode: status } = response;
        json(response).then(
          (content) => resolve({ status, serial, body: content as Record<string, unknown> }),
          reject,
        );
      });
      sent.on('error', reject);
      sent.end(body);
    },
  );
}

async function orders(url: string, agent?: Agent) {
  const answer = await call(`${url}/orders`, agent && { agent });
  if (answer.status !== 200) throw new Error(`/orders answered ${answer.status}`);
  return answer;
}
