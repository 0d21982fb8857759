import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { environment, memory, mountedFiles, SecretStore, secret } from 'hot-secrets';
import { keyVault } from 'hot-secrets/key-vault';
import { createKeyVaultEmulator } from 'hot-secrets/testing';
import { beforeAll, expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import { type Authority, createAuthority, type Issued } from '../support/certificates';
import { complaints, examine, folder, mountLine, mountOf, type SetUp } from '../support/doctor-stage';

const VALUE = 'Marked-Value-7c1f';
const MOUNTINFO = '/proc/self/mountinfo';
/** What every pod has: service links, and the variables of its image. */
const POD = {
  KUBERNETES_SERVICE_HOST: '10.0.0.1',
  KUBERNETES_SERVICE_PORT: '443',
  SHOP_SERVICE_HOST: '10.0.0.7',
  PATH: '/usr/local/bin:/usr/bin',
  NODE_ENV: 'production',
  HOME: '/home/node',
};
const ROOT = mountLine('/', '/', 'overlay');
const VOLUMES = '/var/lib/kubelet/pods/0ac3/volumes';

let authority: Authority;
let web: Issued;

beforeAll(async () => {
  authority = await createAuthority();
  web = await (await authority.intermediate()).issue();
});

/** A pod with one volume. */
async function pod(content: Record<string, string>, root = '/', fileSystem = 'tmpfs'): Promise<SetUp> {
  const { path } = await mountOf(content);
  const texts = { [MOUNTINFO]: ROOT + mountLine(root, path, fileSystem, 'ro') };
  return { environment: POD, texts, options: { mounts: [path] } };
}

async function declared(): Promise<SetUp> {
  const set = await pod({
    'database-password': VALUE,
    payments: JSON.stringify({ url: 'https://pay.example', key: VALUE }),
    'signing-key': Buffer.alloc(32, 0x5a).toString('base64'),
    'tls.crt': web.chain,
    'tls.key': web.key,
    'ca.crt': authority.cert,
  });
  const secrets = {
    dbPassword: 'database-password',
    payments: secret.json('payments', z.object({ url: z.url(), key: z.string() })),
    signingKey: secret.bytes('signing-key', { encoding: 'base64' }),
    web: secret.tls({ cert: 'tls.crt', key: 'tls.key', ca: 'ca.crt' }),
    beta: secret.text('beta').optional(),
  };
  return { ...set, options: { ...set.options, secrets } };
}

/** A vault that a pod reaches by its own name, and the variables of the pod's identity. */
async function vaultWithIdentity() {
  const vault = await createKeyVaultEmulator({ secrets: { 'db-password': VALUE } });
  onTestFinished(() => vault.close());
  const { HTTPS_PROXY: _, NODE_EXTRA_CA_CERTS: __, ...identity } = vault.environment;
  return { vault, identity };
}

const SOUND: readonly (readonly [set: string, build: () => Promise<SetUp>])[] = [
  ['a CSI volume in a pod', () => pod({ 'database-password': VALUE, 'api-key': `${VALUE}2` })],
  [
    'a Secret volume with a newline of kubectl',
    () => pod({ password: `${VALUE}\n` }, `${VOLUMES}/kubernetes.io~secret/db`),
  ],
  [
    'a ConfigMap volume on disk, with a JSON file',
    () => pod({ 'settings.json': '{\n  "a": "b"\n}\n' }, `${VOLUMES}/kubernetes.io~configmap/s`, 'ext4'),
  ],
  [
    'a volume of a service account',
    () =>
      pod(
        { token: `eyJhbGciOiJSUzI1NiJ9.${VALUE}.c2ln`, namespace: 'shop', 'ca.crt': authority.cert },
        `${VOLUMES}/kubernetes.io~projected/api`,
      ),
  ],
  [
    'a TLS volume of cert-manager',
    () => pod({ 'tls.crt': web.chain, 'tls.key': web.key, 'ca.crt': authority.cert }),
  ],
  ['certificates of Key Vault, key first', () => pod({ web: web.key + web.chain })],
  [
    'nested aliases, and versions of one object',
    () => pod({ 'db/primary/password': VALUE, 'api-key/0': `${VALUE}1`, 'api-key/1': `${VALUE}2` }),
  ],
  ['every kind of declared secret', declared],
  [
    'a plain directory on a laptop, with a newline of an editor',
    async () => {
      const { path } = await mountOf({ 'api-key': `${VALUE}\n` }, { layout: 'plain', mode: 0o600 });
      chmodSync(path, 0o700);
      return { environment: { PATH: '/bin', HOME: '/home/me' }, options: { mounts: [path] } };
    },
  ],
  [
    'variables alone on a laptop, without a mount',
    async () => ({
      environment: { PATH: '/bin', DATABASE_PASSWORD: VALUE },
      options: { secrets: { dbPassword: 'database-password' } },
    }),
  ],
  ['nothing at all on a laptop', async () => ({ environment: { PATH: '/bin' } })],
  [
    'a directory that Compose binds',
    async () => {
      const path = join(folder(), 'secrets');
      mkdirSync(path);
      writeFileSync(join(path, 'db_password'), VALUE, { mode: 0o400 });
      const texts = { [MOUNTINFO]: ROOT + mountLine('/home/me/secrets', path, 'ext4', 'ro') };
      return { environment: { SECRETS_PATH: path }, texts };
    },
  ],
  [
    'a pod with a workload identity that reads its vault directly',
    async () => {
      const { vault, identity } = await vaultWithIdentity();
      return {
        environment: { ...POD, ...identity },
        options: {
          secrets: { dbPassword: 'db-password' },
          sources: [keyVault(vault.options), environment()],
          keyVault: vault.options,
        },
      };
    },
  ],
  [
    'a pod that reads the vault of its environment, without a mount',
    async () => {
      const { identity } = await vaultWithIdentity();
      return {
        environment: { ...POD, ...identity },
        options: { secrets: { dbPassword: 'db-password' } },
      };
    },
  ],
  [
    'a store with a source that the doctor cannot read',
    async () => {
      const store = await SecretStore.open({
        secrets: { dbPassword: 'db-password', apiKey: 'api-key' },
        sources: [memory({ 'db-password': VALUE, 'api-key': VALUE }), environment({})],
      });
      onTestFinished(() => store.close());
      return { environment: POD, options: { store } };
    },
  ],
  [
    'a store that is open',
    async () => {
      const { path } = await mountOf({ 'signing-key': Buffer.from([0xff, 0, 0xfe]) });
      const store = await SecretStore.open({
        secrets: { signingKey: secret.bytes('signing-key') },
        sources: [mountedFiles(path), environment({})],
      });
      onTestFinished(() => store.close());
      return { environment: POD, options: { store } };
    },
  ],
];

it.each(SOUND)('finds nothing to fix in %s', async (_set, build) => {
  const diagnosis = await examine({ ...(await build()), values: [VALUE] });
  expect(complaints(diagnosis)).toEqual([]);
});

it('finds nothing to fix in a mount that rotates while it is examined', async () => {
  const mount = await mountOf({ a: '0', b: '0' });
  let rotating = true;
  const rotations = (async () => {
    for (let round = 1; rotating; round += 1) {
      await mount.rotate({ a: String(round), b: String(round) });
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  })();
  for (let round = 0; round < 5; round += 1) {
    expect(complaints(await examine({ options: { mounts: [mount.path] } }))).toEqual([]);
  }
  rotating = false;
  await rotations;
});
