import { Agent } from 'node:https';
import type { SecretsErrorCode } from 'hot-secrets';
import { memory, SecretStore } from 'hot-secrets';
import type { KeyVaultFault } from 'hot-secrets/testing';
import { describe, expect, it } from 'vitest';
import { startVault } from '../support/key-vault-clients';
import {
  expectNothingSecret,
  openStore,
  refusal,
  requestsOf,
  retryQuickly,
  sourceOf,
} from '../support/key-vault-stage';
import { simulateTime } from '../support/simulated-time';
import { waitFor } from '../support/wait-for';

const FIRST = 'leak-marker-value';
const SECOND = 'leak-marker-value-either';
const NAMES = { key: 'key', other: 'other' };
const values = { key: FIRST, other: SECOND };

type Row = [fault: KeyVaultFault, code: SecretsErrorCode, what: string, next: string];

const VAULT_FAULTS: Row[] = [
  [
    { kind: 'unauthorized' },
    'VAULT_UNAUTHORIZED',
    'rejects the token',
    'az keyvault show --name emulator --query properties.tenantId',
  ],
  [
    { kind: 'rbac' },
    'VAULT_DENIED',
    'a role is missing',
    'az role assignment create --role "Key Vault Secrets User"',
  ],
  [
    { kind: 'policy' },
    'VAULT_DENIED',
    'denies',
    'az keyvault set-policy --name emulator --secret-permissions get',
  ],
  [
    { kind: 'firewall' },
    'VAULT_FIREWALL',
    'blocks the network',
    'az keyvault network-rule add --name emulator',
  ],
  [{ kind: 'throttled' }, 'VAULT_THROTTLED', 'throttles requests', 'Raise refreshIntervalMs'],
  [{ kind: 'unavailable' }, 'VAULT_UNAVAILABLE', 'answered with status 503', 'retries'],
  [{ kind: 'unavailable', status: 500 }, 'VAULT_UNAVAILABLE', 'answered with status 500', 'retries'],
  [{ kind: 'unavailable', status: 408 }, 'VAULT_UNAVAILABLE', 'answered with status 408', 'retries'],
  [
    { kind: 'private' },
    'VAULT_FIREWALL',
    'accepts no request from a public network',
    'emulator.vault.azure.net must resolve to a private address',
  ],
  // The Azure client loses the status of an error without a code.
  [{ kind: 'empty-body' }, 'VAULT_UNAVAILABLE', 'answered with status 500 with no body', 'retries'],
  [{ kind: 'html', status: 502 }, 'VAULT_UNAVAILABLE', 'status 502 with text/html', 'Check the proxies'],
  [{ kind: 'html' }, 'VAULT_RESPONSE_INVALID', 'status 200 with text/html', 'whether a proxy answers'],
  [
    { kind: 'html', status: 403 },
    'VAULT_RESPONSE_INVALID',
    'status 403 with text/html',
    'whether a proxy answers',
  ],
  [
    { kind: 'html', status: 404 },
    'VAULT_RESPONSE_INVALID',
    'status 404 with text/html',
    'whether a proxy answers',
  ],
  [
    { kind: 'html', status: 302 },
    'VAULT_RESPONSE_INVALID',
    'status 302 with text/html',
    'whether a proxy answers',
  ],
  [
    { kind: 'empty-body', status: 404 },
    'VAULT_RESPONSE_INVALID',
    'status 404 with no body',
    'Check vaultUrl',
  ],
  [
    { kind: 'empty-body', status: 403 },
    'VAULT_RESPONSE_INVALID',
    'status 403 with no body',
    'Check vaultUrl',
  ],
  [
    { kind: 'other-service' },
    'VAULT_RESPONSE_INVALID',
    '404 without the code SecretNotFound',
    'Check vaultUrl',
  ],
  [{ kind: 'html', status: 407 }, 'VAULT_PROXY_REFUSED', 'demands a login', 'HTTPS_PROXY'],
  [{ kind: 'html', status: 429 }, 'VAULT_THROTTLED', 'throttles requests', 'Raise refreshIntervalMs'],
  [{ kind: 'bad-json' }, 'VAULT_RESPONSE_INVALID', 'that is not JSON', 'whether a proxy answers'],
  [{ kind: 'reset' }, 'VAULT_UNAVAILABLE', 'ECONNRESET', 'retries'],
  [{ kind: 'hang-before-headers' }, 'VAULT_TIMEOUT', 'did not answer within 300 ms', 'retries'],
  [{ kind: 'hang-in-body' }, 'VAULT_TIMEOUT', 'did not answer within 300 ms', 'retries'],
];

/** The store retries these after a minute, not after a second. */
const RETRIED_LATE: SecretsErrorCode[] = [
  'VAULT_UNAUTHORIZED',
  'VAULT_DENIED',
  'VAULT_FIREWALL',
  'VAULT_PROXY_REFUSED',
];

describe('a vault that fails', () => {
  it.each(VAULT_FAULTS)(
    'reports %o as %s and keeps serving the last good value',
    async (fault, code, what, next) => {
      const vault = await startVault({ secrets: values });
      retryQuickly();
      const source = sourceOf(vault, code === 'VAULT_TIMEOUT' ? { requestTimeoutMs: 300 } : {});
      const { store, log } = await openStore({ key: 'key' }, source, memory({ key: 'of memory' }));
      await vault.set('key', SECOND);
      const lift = vault.fail(fault);
      await store.refresh();
      await store.refresh();
      expect(store.reveal('key')).toBe(FIRST);
      expect(log.errors).toMatchObject([{ code, source: 'key-vault', what: expect.stringContaining(what) }]);
      expect(log.errors[0]?.message).toContain(new URL(vault.vaultUrl).hostname);
      expect(log.errors[0]?.next).toContain(next);
      expect(store.health().status).toBe('degraded');
      const said = [log, store.report(), store.health(), store, source];
      expectNothingSecret(vault, [FIRST, SECOND], said);

      lift();
      if (RETRIED_LATE.includes(code)) await store.refresh();
      await waitFor(() => store.reveal('key') === SECOND);
      expect(log.recovered.map((error) => error.code)).toEqual([code]);
      expectNothingSecret(vault, [FIRST, SECOND], said);
    },
  );

  it('reports a problem of the vault when all its requests fail, and of a secret when only that one fails', async () => {
    const vault = await startVault({ secrets: values });
    const { store, log } = await openStore(NAMES, sourceOf(vault));
    const lift = vault.fail({ kind: 'rbac' });
    await store.refresh();
    expect(store.report()).toMatchObject({
      secrets: [{ problem: undefined }, { problem: undefined }],
      sources: [{ problems: [{ code: 'VAULT_DENIED' }] }],
    });
    lift();
    vault.fail({ kind: 'rbac', names: ['other'] });
    await store.refresh();
    expect(store.report()).toMatchObject({
      secrets: [{ problem: undefined }, { name: 'other', problem: 'VAULT_DENIED' }],
      sources: [{ problems: [] }],
    });
    expect(log.codes()).toEqual(['VAULT_DENIED', 'VAULT_DENIED']);
  });

  it('names the missing list permission when the identity may not list', async () => {
    const vault = await startVault({ secrets: values });
    vault.fail({ kind: 'policy' });
    const opening = SecretStore.open({ sources: [sourceOf(vault, { list: true })] });
    await expect(opening).rejects.toMatchObject({
      code: 'VAULT_DENIED',
      what: expect.stringContaining('permission to list secrets'),
      next: expect.stringContaining('--secret-permissions list'),
    });
  });
});

describe('a 404 that is not of the vault', () => {
  it.each([
    { kind: 'other-service' },
    { kind: 'html', status: 404 },
    { kind: 'empty-body', status: 404 },
    { kind: 'html', status: 410 },
  ] as const)('reads no secret from the next source after a strange 404 (%o)', async (fault) => {
    const vault = await startVault({ secrets: values });
    const below = memory({ key: 'of memory', other: 'of memory' });
    const { during, sourceOf } = simulateTime(vault);
    const lift = vault.fail(fault);
    const error = await during(refusal(NAMES, sourceOf(), below));
    expect(error.code).toBe('VAULT_RESPONSE_INVALID');
    // Nothing was read yet, so nothing stays in use.
    expect(error.message).not.toContain('stay in use');
    lift();
    const { store } = await during(openStore(NAMES, sourceOf(), below));
    vault.fail(fault);
    await during(store.refresh());
    expect(store.get('key')).toMatchObject({ source: 'key-vault' });
  });
});

describe('a denied or disabled secret', () => {
  it.each([
    [{ kind: 'rbac' }, 'VAULT_DENIED', 'role'],
    [{ kind: 'policy' }, 'VAULT_DENIED', 'set-policy'],
    [
      { kind: 'disabled' },
      'VAULT_SECRET_DISABLED',
      'az keyvault secret set-attributes --vault-name emulator --name key --enabled true',
    ],
  ] as const)(
    'does not take a denied or disabled secret from the next source (%o)',
    async (fault, code, next) => {
      const vault = await startVault({ secrets: values });
      const below = memory({ key: 'of memory', other: 'of memory' });
      const lift = vault.fail({ ...fault, names: ['key'] });
      const error = await refusal(NAMES, sourceOf(vault), below);
      expect(error).toMatchObject({ code, secret: 'key', next: expect.stringContaining(next) });
      expectNothingSecret(vault, [FIRST, SECOND], error);

      lift();
      const { store, log } = await openStore(NAMES, sourceOf(vault), below);
      vault.fail({ ...fault, names: ['key'] });
      await vault.set('other', 'rotated');
      await store.refresh();
      expect(log.codes()).toEqual([code]);
      // The other secret waits too, because both may form a pair.
      expect([store.reveal('key'), store.reveal('other')]).toEqual([FIRST, SECOND]);
    },
  );

  it('reports a refused secret again when the reason changes', async () => {
    const vault = await startVault({ secrets: values });
    const { store, log } = await openStore(NAMES, sourceOf(vault));
    const lift = vault.fail({ kind: 'rbac', names: ['key'] });
    await store.refresh();
    lift();
    vault.fail({ kind: 'disabled', names: ['key'] });
    await store.refresh();
    expect(log.codes()).toEqual(['VAULT_DENIED', 'VAULT_SECRET_DISABLED']);
  });
});

describe('an unreachable vault', () => {
  it('says what to check when the name of the vault does not resolve', async () => {
    const vault = await startVault();
    const unknown = Object.assign(new Error('getaddrinfo'), { code: 'ENOTFOUND' });
    const agent = new Agent({ lookup: (_, __, found) => found(unknown, '', 4) });
    const { during, sourceOf } = simulateTime(vault);
    expect(await during(refusal(NAMES, sourceOf({ agent })))).toMatchObject({
      code: 'VAULT_UNAVAILABLE',
      what: expect.stringContaining('ENOTFOUND'),
      next: expect.stringContaining('the DNS of the pod'),
    });
  });

  it('rejects open while the vault is unavailable, even if the next source has the values', async () => {
    const vault = await startVault({ secrets: values });
    const { during, sourceOf } = simulateTime(vault);
    vault.fail({ kind: 'unavailable' });
    const requests = requestsOf(vault);
    const error = await during(refusal(NAMES, sourceOf(), memory(values)));
    expect(error).toMatchObject({ code: 'VAULT_UNAVAILABLE' });
    expect(requests.at('other')).toBe(0);
  });
});
