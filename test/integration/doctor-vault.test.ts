import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type DiagnoseOptions, type Diagnosis, describeFinding } from 'hot-secrets/doctor';
import { keyVault } from 'hot-secrets/key-vault';
import {
  createKeyVaultEmulator,
  type KeyVaultEmulator,
  type KeyVaultFault,
  type ProjectedToken,
} from 'hot-secrets/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { complaints, examine, folder, type Machine, mountOf } from '../support/doctor-stage';
import { expectNothingSecret } from '../support/key-vault-stage';

const VALUE = 'Marked-Value-7c1f';
const HOUR_MS = 3_600_000;
const POD = { KUBERNETES_SERVICE_HOST: '10.0.0.1' };

let vault: KeyVaultEmulator;
let path: string;

beforeEach(async () => {
  vault = await createKeyVaultEmulator({ secrets: { 'db-password': VALUE } });
  ({ path } = await mountOf({ 'db-password': VALUE }));
});

afterEach(() => vault.close());

/** Examines a pod with the mount and the workload identity. */
async function pod(options: DiagnoseOptions = {}, more: Machine = {}): Promise<Diagnosis> {
  const { HTTPS_PROXY: _, ...identity } = vault.environment;
  const diagnosis = await examine({
    ...more,
    environment: { ...POD, ...identity, ...more.environment },
    options: { mounts: [path], ...options },
  });
  expectNothingSecret(vault, [VALUE], diagnosis);
  return diagnosis;
}

const textOf = (diagnosis: Diagnosis) => describeFinding(diagnosis.findings[0] as never);

describe('the doctor on a workload identity', () => {
  it('finds nothing to fix in the identity that the webhook sets, and sends nothing', async () => {
    expect(complaints(await pod())).toEqual([]);
    expect(vault.requests).toEqual([]);
  });

  it.each<[set: string, token: ProjectedToken, codes: string[], next: RegExp]>([
    ['has expired', { expiresInMs: -60_000 }, ['IDENTITY_ASSERTION_EXPIRED'], /subPath/],
    [
      'is for another audience',
      { audience: 'https://kubernetes.default.svc' },
      ['IDENTITY_AUDIENCE_UNUSUAL'],
      /azure\.workload\.identity\/use/,
    ],
    [
      'is of the default service account',
      { subject: 'system:serviceaccount:default:default' },
      ['IDENTITY_SUBJECT_UNUSUAL'],
      /serviceAccountName/,
    ],
    [
      'is of no service account',
      { subject: 'repo:me/shop:ref:refs/heads/main' },
      ['IDENTITY_SUBJECT_UNUSUAL'],
      /serviceAccountName/,
    ],
    [
      'is of a cluster without a public issuer',
      { issuer: 'https://kubernetes.default.svc.cluster.local' },
      ['IDENTITY_ISSUER_UNUSUAL'],
      /--enable-oidc-issuer/,
    ],
    [
      'is of another namespace',
      { subject: 'system:serviceaccount:other:app' },
      ['IDENTITY_NAMESPACE_MISMATCH'],
      /copy from another pod/,
    ],
    ['is empty', { content: '' }, ['IDENTITY_TOKEN_FILE'], /azure\.workload\.identity\/use/],
    ['is something else', { content: VALUE }, ['IDENTITY_TOKEN_FILE'], /azure\.workload\.identity\/use/],
  ])('names the fault and its fix when the projected token %s', async (_set, token, codes, next) => {
    await vault.projectToken(token);
    const texts = { '/var/run/secrets/kubernetes.io/serviceaccount/namespace': 'default' };
    const known = token.subject?.startsWith('repo:') ? {} : { texts };
    const diagnosis = await pod({}, known);
    expect(complaints(diagnosis)).toEqual(codes);
    expect(textOf(diagnosis).next).toMatch(next);
  });

  it.each([
    ['the variable of the client', { AZURE_CLIENT_ID: '' }, ['IDENTITY_MISSING']],
    ['the variable of the tenant', { AZURE_TENANT_ID: '' }, ['IDENTITY_MISSING']],
    ['the token file', { AZURE_FEDERATED_TOKEN_FILE: '/no/such/token' }, ['IDENTITY_TOKEN_FILE']],
    ['every variable, in a pod that wants a vault', { AZURE_FEDERATED_TOKEN_FILE: '' }, ['IDENTITY_MISSING']],
  ])('names what a pod lacks: %s', async (_set, environment, codes) => {
    const diagnosis = await pod({}, { environment });
    expect(complaints(diagnosis)).toEqual(codes);
    expect(textOf(diagnosis).next).toContain('azure.workload.identity/');
  });

  it('names a clock that is behind, and a token that nobody replaced', async () => {
    expect(complaints(await pod({}, { now: Date.now() - HOUR_MS }))).toEqual(['CLOCK_SKEW']);
    const late = await pod({}, { now: Date.now() + 23.5 * HOUR_MS });
    expect(complaints(late)).toEqual(['IDENTITY_TOKEN_OLD']);
    expect(textOf(late).what).toContain('expires in 30 minutes');
  });

  it('shows no claim that has another form than in the token of a pod', async () => {
    const file = join(folder(), 'token');
    const claims = Buffer.from(JSON.stringify({ sub: VALUE, aud: 7, iat: 'soon' })).toString('base64url');
    writeFileSync(file, `a.${claims}.b`);
    const diagnosis = await pod({}, { environment: { AZURE_FEDERATED_TOKEN_FILE: file } });
    expect(complaints(diagnosis)).toContain('IDENTITY_AUDIENCE_UNUSUAL');
  });
});

describe('the doctor on a vault', () => {
  const reach = () => pod({ keyVault: { ...vault.options, startTimeoutMs: 4_000 } });

  it('finds nothing to fix in a vault that answers and agrees with the mount', async () => {
    const diagnosis = await reach();
    expect(complaints(diagnosis)).toEqual([]);
    expect(vault.requests.length).toBeGreaterThan(0);
  });

  it.each<[set: string, fault: KeyVaultFault, code: string, next: RegExp]>([
    ['a role is missing', { kind: 'rbac' }, 'VAULT_DENIED', /Key Vault Secrets User/],
    ['an access policy is missing', { kind: 'policy' }, 'VAULT_DENIED', /set-policy/],
    ['the firewall blocks', { kind: 'firewall' }, 'VAULT_FIREWALL', /network-rule add/],
    ['the secret is disabled', { kind: 'disabled' }, 'VAULT_SECRET_DISABLED', /--enabled true/],
    ['the vault refuses the token', { kind: 'unauthorized' }, 'VAULT_UNAUTHORIZED', /tenantId/],
    ['the vault throttles', { kind: 'throttled' }, 'VAULT_THROTTLED', /refreshIntervalMs/],
    ['the vault is out of order', { kind: 'unavailable' }, 'VAULT_UNAVAILABLE', /status of Azure/],
    ['a proxy answers', { kind: 'bad-json' }, 'VAULT_RESPONSE_INVALID', /proxy/],
  ])('tells the kinds of denial apart: %s', async (_set, fault, code, next) => {
    vault.fail(fault);
    const diagnosis = await reach();
    expect(complaints(diagnosis)).toEqual([code]);
    expect(textOf(diagnosis).next).toMatch(next);
  });

  it.each<[set: string, token: ProjectedToken, code: string]>([
    ['the subject', { subject: 'system:serviceaccount:default:stranger' }, 'IDENTITY_SUBJECT_UNKNOWN'],
    ['the issuer', { issuer: 'https://westeurope.oic.prod-aks.azure.com/other/' }, 'IDENTITY_ISSUER_UNKNOWN'],
  ])('names what no federated credential matches: %s', async (_set, token, code) => {
    await vault.projectToken(token);
    expect(complaints(await reach())).toEqual([code]);
  });

  it('names a file that does not have the current value, once the driver has had time', async () => {
    await vault.set('db-password', 'Newer-Marked-91');
    expect(complaints(await reach())).toEqual([]);
    const late = { now: Date.now() + HOUR_MS };
    const diagnosis = await pod({ keyVault: vault.options }, late);
    expectNothingSecret(vault, ['Newer-Marked-91'], diagnosis);
    expect(complaints(diagnosis)).toEqual(['MOUNT_BEHIND_VAULT']);
    expect(textOf(diagnosis).next).toMatch(/--enable-secret-rotation.*objectVersion/);
  });

  it('names declared secrets that the vault lacks', async () => {
    const { path: other } = await mountOf({ 'api-key': VALUE });
    const diagnosis = await pod({
      mounts: [other],
      secrets: { api: 'api-key', db: 'db-password', none: 'none' },
      keyVault: vault.options,
    });
    const found = diagnosis.findings.map(({ code, secret, level }) => [code, secret, level]);
    expect(found).toContainEqual(['VAULT_SECRET_MISSING', 'api-key', 'note']);
    expect(found).toContainEqual(['VAULT_SECRET_MISSING', 'none', 'warning']);
  });

  it('checks the values of a service that reads the vault directly', async () => {
    await vault.set('db-password', `"${VALUE}"`);
    await vault.set('old', VALUE, { expiresOn: new Date(Date.now() - HOUR_MS) });
    const sources = [keyVault(vault.options)];
    const secrets = { db: 'db-password', old: 'old', none: 'none' };
    const unknown = await pod({ mounts: undefined, sources, secrets });
    expect(complaints(unknown)).toEqual([]);
    const known = await pod({ mounts: undefined, sources, secrets, keyVault: vault.options });
    expect(complaints(known).sort()).toEqual([
      'SECRET_MISSING',
      'VALUE_EXPIRED',
      'VALUE_SUSPECT',
      'VAULT_SECRET_MISSING',
    ]);
  });

  it('names a host that does not resolve, without asking anybody', async () => {
    const keyVault = { vaultUrl: 'https://hot-secrets-doctor.invalid' };
    const diagnosis = await pod({ keyVault });
    expect(complaints(diagnosis)).toEqual(['VAULT_NAME_UNRESOLVED']);
    expect(textOf(diagnosis).next).toContain('privatelink.vaultcore.azure.net');
  });
});
