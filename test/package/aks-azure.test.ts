import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Manifest, manifests, one } from './support/aks';
import { fromRepository, run } from './support/repository';

const EXAMPLE = 'examples/aks';
const terraform = readdirSync(fromRepository(EXAMPLE, 'terraform'))
  .filter((file) => file.endsWith('.tf'))
  .map((file) => readFileSync(fromRepository(EXAMPLE, 'terraform', file), 'utf8'))
  .join('\n');
const tool = ['terraform', 'tofu'].find((name) => spawnSync(name, ['version']).status === 0);

it.skipIf(tool === undefined)('parses as Terraform, in the format of the tool', async () => {
  const folder = fromRepository(EXAMPLE, 'terraform');
  const { status, stdout, stderr } = await run(tool as string, ['fmt', '-check', '-diff', folder]);
  expect(`${stdout}${stderr.replace(/^(There are some problems|[╷│╵]).*\n/gm, '')}`.trim()).toBe('');
  expect(status).toBe(0);
});

describe('what Terraform, the script and the manifests have in common', () => {
  let base: Manifest[];
  let calls: string[];
  let settings: string;
  beforeAll(async () => {
    base = await manifests('base');
    ({ calls, settings } = await provision('dev', {
      EVENT_GRID_ENDPOINT: 'https://shop.example.com/hooks/event-grid',
      WEBHOOK_CODE: 'code-of-the-hook',
    }));
  });

  it('trusts the service account of the Deployment by the same subject in both', () => {
    const { namespace } = one(base, 'Deployment').metadata;
    const { serviceAccountName } = one(base, 'Deployment').spec.template.spec;
    const subject = `system:serviceaccount:${namespace}:${serviceAccountName}`;
    const given = attribute('subject').replace(/\$\{var\.(\w+)\}/g, (_, name) => defaultOf(name));
    expect(given).toBe(subject);
    expect(callOf('identity federated-credential create')).toContain(`--subject ${subject} `);
    for (const text of [attribute('audience'), callOf('identity federated-credential create')]) {
      expect(text).toContain('api://AzureADTokenExchange');
    }
  });

  it('switches on the issuer, workload identities and rotation at the same interval in both', () => {
    const create = callOf('aks create');
    expect(create).toContain('--enable-oidc-issuer --enable-workload-identity');
    expect(create).toContain(
      `--enable-secret-rotation --rotation-poll-interval ${defaultOf('secret_rotation_interval')} `,
    );
    for (const name of ['oidc_issuer_enabled', 'workload_identity_enabled', 'secret_rotation_enabled']) {
      expect(attribute(name)).toBe('true');
    }
    expect(create).toContain(`--kubernetes-version ${defaultOf('kubernetes_version')} `);
  });

  it('denies the vault to every network but the one of the nodes, and logs each request', () => {
    expect(attribute('default_action')).toBe('Deny');
    expect(callOf('keyvault create')).toContain('--default-action Deny');
    expect(attribute('rbac_authorization_enabled')).toBe('true');
    expect(callOf('keyvault create')).toContain('--enable-rbac-authorization true');
    expect(callOf('monitor diagnostic-settings create')).toContain('AuditEvent');
    expect(terraform).toContain('category = "AuditEvent"');
    expect(callOf('role assignment create')).toContain('--role Key Vault Secrets User ');
    expect(terraform).toContain('role_definition_name = "Key Vault Secrets User"');
  });

  it('allows the pods PostgreSQL in the range of the virtual network alone', () => {
    const range = one(base, 'NetworkPolicy').spec.egress[1].to[0].ipBlock.cidr;
    expect(attribute('address_space')).toBe(`["${range}"]`);
    expect(callOf('network vnet create')).toContain(`--address-prefixes ${range}`);
  });

  it('subscribes the same events with the code of the webhook', () => {
    const create = callOf('eventgrid system-topic event-subscription create');
    const types = [...terraform.matchAll(/"(Microsoft\.KeyVault\.\w+(?:Created|NearExpiry|Expired))"/g)];
    expect(types).toHaveLength(6);
    for (const [, type] of types) expect(create).toContain(type);
    expect(create).toContain('--endpoint https://shop.example.com/hooks/event-grid ');
    expect(create).toContain('authorization static Bearer code-of-the-hook true');
    expect(attribute('header_name')).toBe('authorization');
  });

  it('alerts on the same conditions', () => {
    const names = ['near-expiry', 'service-degraded', 'mount-failed'];
    for (const name of names) {
      expect(terraform).toMatch(new RegExp(`^ {4}${name} = \\{`, 'm'));
      expect(calls.join('\n')).toContain(`--name shop-dev-${name} `);
    }
    expect(callOf('monitor metrics alert create')).toContain('where StatusCode includes 403');
    expect(terraform).toContain('values   = ["403"]');
  });

  it('writes the settings that the overlay reads, with the same names', () => {
    const namesIn = (text: string) => [...text.matchAll(/^ *([A-Z_]+)=/gm)].map(([, name]) => name);
    const overlay = readFileSync(fromRepository(EXAMPLE, 'manifests/overlays/dev/settings.env'), 'utf8');
    expect(namesIn(settings)).toEqual(namesIn(overlay));
    expect(namesIn(/<<-ENV([\s\S]*?)ENV$/m.exec(terraform)?.[1] ?? '')).toEqual(namesIn(overlay));
    expect(settings).toContain('KEY_VAULT_URL=https://shop-dev-kv.vault.azure.net\n');
    expect(settings).not.toContain('code-of-the-hook');
  });

  it('creates no subscription without an endpoint, and nothing without an environment', async () => {
    const { calls: without } = await provision('prod', {});
    expect(without.filter((call) => call.includes('event-subscription'))).toEqual([]);
    const unknown = await provision('test', {});
    expect(unknown.status).toBe(64);
    expect(unknown.calls).toEqual([]);
  });

  const callOf = (command: string): string => calls.find((call) => call.startsWith(`${command} `)) ?? '';
});

/** The first value of an attribute in the Terraform files, without quotes around it. */
function attribute(name: string): string {
  const value = new RegExp(`^ *${name} *= *(.+?)(?: #.*)?$`, 'm').exec(terraform)?.[1] ?? '';
  return value.replace(/^"(.*)"$/, '$1');
}

function defaultOf(variable: string): string {
  const block = new RegExp(`^variable "${variable}" \\{[\\s\\S]*?^\\}`, 'm').exec(terraform)?.[0] ?? '';
  return /default += "(.*)"/.exec(block)?.[1] ?? '';
}

/** Runs a copy of the script with an `az` that only notes its arguments, one call a line. */
async function provision(environment: string, env: Record<string, string>) {
  const folder = mkdtempSync(join(tmpdir(), 'hot-secrets-provision-'));
  const log = join(folder, 'calls');
  try {
    cpSync(fromRepository(EXAMPLE), join(folder, 'aks'), { recursive: true });
    mkdirSync(join(folder, 'bin'));
    writeFileSync(log, '');
    const az = `#!/usr/bin/env bash
echo "$*" | tr '\\n' ' ' | sed 's/ *$/ /' >>'${log}'; echo >>'${log}'
case "$*" in *"list "*) ;; *--query*) echo value ;; esac
`;
    writeFileSync(join(folder, 'bin/az'), az, { mode: 0o755 });
    const { status, stderr } = await run('bash', [join(folder, 'aks/provision.sh'), environment], {
      env: {
        PATH: `${join(folder, 'bin')}:${process.env.PATH}`,
        DATABASE_HOST: 'db.internal',
        OPERATORS: '11111111-1111-1111-1111-111111111111',
        ALERT_EMAIL: 'ops@example.com',
        ...env,
      },
    });
    if (status === 1) throw new Error(stderr);
    const overlay = join(folder, 'aks/manifests/overlays', environment, 'settings.env');
    return {
      status,
      calls: readFileSync(log, 'utf8').split('\n').filter(Boolean),
      settings: status === 0 ? readFileSync(overlay, 'utf8') : '',
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
