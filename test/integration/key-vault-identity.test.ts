import { rmSync } from 'node:fs';
import type { SecretsErrorCode } from 'hot-secrets';
import type { ProjectedToken } from 'hot-secrets/testing';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { credentialOf, startVault } from '../support/key-vault-clients';
import { expectNothingSecret, openStore, refusal, requestsOf, sourceOf } from '../support/key-vault-stage';
import { simulateTime } from '../support/simulated-time';

const VALUE = 'leak-marker-value';
const NAMES = { key: 'key' };

type Row = [token: ProjectedToken, code: SecretsErrorCode, what: string, next: string];

const FEDERATE = 'az identity federated-credential create';
const REFUSED: Row[] = [
  [
    { subject: 'system:serviceaccount:other:app' },
    'IDENTITY_SUBJECT_UNKNOWN',
    'no federated credential for the subject system:serviceaccount:other:app (AADSTS700213)',
    `${FEDERATE} --name NAME --identity-name IDENTITY --resource-group GROUP --issuer https://westeurope.oic.prod-aks.azure.com/emulator/ --subject system:serviceaccount:other:app --audiences api://AzureADTokenExchange`,
  ],
  [
    { subject: 'system:serviceaccount:default:App' },
    'IDENTITY_SUBJECT_UNKNOWN',
    'system:serviceaccount:default:App (AADSTS7002138)',
    FEDERATE,
  ],
  [
    { issuer: 'https://issuer.example/' },
    'IDENTITY_ISSUER_UNKNOWN',
    'no federated credential for the issuer https://issuer.example/ (AADSTS700211)',
    '--issuer https://issuer.example/',
  ],
  [
    { audience: 'api://other' },
    'IDENTITY_AUDIENCE_UNKNOWN',
    'no federated credential for the audience api://other (AADSTS700212)',
    'api://AzureADTokenExchange',
  ],
  [
    { expiresInMs: -60_000 },
    'IDENTITY_ASSERTION_EXPIRED',
    'the projected token expired at 20',
    'Check the clocks',
  ],
  [{ startsInMs: 7_200_000 }, 'IDENTITY_CLOCK_SKEW', 'is valid only from 20', 'Compare the clocks'],
  [
    { forged: true },
    'IDENTITY_REFUSED',
    'a signature that does not verify (AADSTS700027)',
    'publishes the keys',
  ],
  [{ content: '' }, 'IDENTITY_TOKEN_FILE', 'is empty', 'azure.workload.identity/use'],
  [
    { content: 'not-a-token-but-private' },
    'IDENTITY_TOKEN_FILE',
    'is not a token',
    'azure.workload.identity/use',
  ],
];

describe('a workload identity without a token', () => {
  it.each(REFUSED)('reports %o as %s, with the command that fixes it', async (token, code, what, next) => {
    const vault = await startVault({ secrets: { key: VALUE } });
    await vault.projectToken(token);
    const error = await refusal(NAMES, sourceOf(vault, { startTimeoutMs: 10_000 }));
    expect(error).toMatchObject({ code, source: 'key-vault' });
    expect(error.what).toContain(what);
    expect(error.next).toContain(next);
    expectNothingSecret(vault, [VALUE, 'not-a-token-but-private'], error);

    // The source reads the token file again.
    await vault.projectToken();
    const { store, log } = await openStore(NAMES, sourceOf(vault));
    await vault.projectToken(token);
    vault.revokeTokens();
    await store.refresh();
    expect(log.codes()).toEqual([code]);
    await vault.projectToken();
    await store.refresh();
    expect(log.recovered.map((one) => one.code)).toEqual([code]);
    expectNothingSecret(vault, [VALUE, 'not-a-token-but-private'], [log, store.report()]);
  });

  it.each([7000222, 7000215, 53003, 50076, 999999])(
    'asks Entra ID once, at start and later, when it refuses the identity (AADSTS%i)',
    async (number) => {
      const vault = await startVault({ secrets: { key: VALUE } });
      const lift = vault.fail({ at: 'entra', kind: 'refused', number });
      const requests = requestsOf(vault);
      const { during, pass, sourceOf } = simulateTime(vault);
      const start = performance.now();
      const error = await during(refusal(NAMES, sourceOf()));
      expect(performance.now() - start).toBeLessThan(1_000);
      expect(error).toMatchObject({
        code: 'IDENTITY_REFUSED',
        what: expect.stringContaining(`AADSTS${number}`),
      });
      expect(error.message).not.toContain('stay in use');
      expect(requests.at('token 401')).toBe(1);
      lift();
      const { store, log } = await during(openStore(NAMES, sourceOf()));
      vault.revokeTokens();
      vault.fail({ at: 'entra', kind: 'refused', number });
      await during(store.refresh());
      const asked = requests.at('token 401');
      await pass(20);
      expect(requests.at('token 401')).toBe(asked);
      expect(log.codes()).toEqual(['IDENTITY_REFUSED']);
    },
  );

  it('reports an answer that is not of Entra ID as that', async () => {
    const vault = await startVault({ secrets: { key: VALUE } });
    const { during, sourceOf } = simulateTime(vault);
    vault.fail({ at: 'entra', kind: 'html', status: 403 });
    expect(await during(refusal(NAMES, sourceOf()))).toMatchObject({
      code: 'IDENTITY_FAILED',
      what: 'login.microsoftonline.com sent an answer that is not of Entra ID: status 403 with text/html',
      next: expect.stringContaining('proxy'),
    });
  });

  it('reports a missing token file with its path', async () => {
    const vault = await startVault({ secrets: { key: VALUE } });
    const tokenFilePath = `${vault.workloadIdentity.tokenFilePath}-missing`;
    const workloadIdentity = { ...vault.workloadIdentity, tokenFilePath };
    expect(await refusal(NAMES, sourceOf(vault, { workloadIdentity }))).toMatchObject({
      code: 'IDENTITY_TOKEN_FILE',
      what: `the projected token ${tokenFilePath} does not exist`,
    });
  });

  it('names the client that is unknown to Entra ID', async () => {
    const vault = await startVault({ secrets: { key: VALUE } });
    const clientId = '00000000-0000-4000-8000-00000000000f';
    const workloadIdentity = { ...vault.workloadIdentity, clientId };
    const error = await refusal(NAMES, sourceOf(vault, { workloadIdentity }));
    expect(error).toMatchObject({
      code: 'IDENTITY_UNKNOWN',
      next: expect.stringContaining('az identity show'),
    });
    expect(error.what).toContain(`client ${clientId} in the tenant ${vault.workloadIdentity.tenantId}`);
  });

  it('names the tenant of the vault when the identity belongs to another', async () => {
    const vault = await startVault({ secrets: { key: VALUE } });
    const workloadIdentity = { ...vault.workloadIdentity, tenantId: '00000000-0000-4000-8000-00000000000e' };
    expect(await refusal(NAMES, sourceOf(vault, { workloadIdentity }))).toMatchObject({
      code: 'VAULT_UNAUTHORIZED',
      what: `the vault belongs to the tenant ${vault.workloadIdentity.tenantId}, but the identity to another tenant`,
    });
  });

  it('names the environment variable that the workload identity lacks', async () => {
    const vault = await startVault();
    const { AZURE_TENANT_ID, AZURE_FEDERATED_TOKEN_FILE } = vault.environment;
    stub({ AZURE_TENANT_ID, AZURE_FEDERATED_TOKEN_FILE, AZURE_CLIENT_ID: undefined });
    const { workloadIdentity, ...options } = vault.options;
    expect(
      await refusal(NAMES, sourceOf(vault, { ...options, workloadIdentity: undefined as never })),
    ).toMatchObject({
      code: 'IDENTITY_MISSING',
      what: 'the workload identity lacks AZURE_CLIENT_ID',
      next: expect.stringContaining('azure.workload.identity/client-id'),
    });
  });
});

describe('the identity of keyVault', () => {
  it('takes the workload identity from the environment by default', async () => {
    const vault = await startVault({ secrets: { key: 'value' } });
    const { AZURE_TENANT_ID, AZURE_CLIENT_ID, AZURE_FEDERATED_TOKEN_FILE } = vault.environment;
    stub({ AZURE_TENANT_ID, AZURE_CLIENT_ID, AZURE_FEDERATED_TOKEN_FILE });
    const { store } = await openStore(NAMES, sourceOf(vault, { workloadIdentity: undefined as never }));
    expect(store.reveal('key')).toBe('value');
  });

  it('accepts credentials of @azure/identity and custom ones, and requests one token', async () => {
    const vault = await startVault({ secrets: { key: 'value' } });
    const theirs = credentialOf(vault);
    const asked = vi.fn();
    const yours = {
      getToken(...request: Parameters<typeof theirs.getToken>) {
        asked(...request);
        return theirs.getToken(...request);
      },
    };
    for (const credential of [theirs, yours]) {
      const { store } = await openStore(NAMES, sourceOf(vault, { credential }));
      await vault.set('key', 'next');
      await store.refresh();
      expect(store.reveal('key')).toBe('next');
    }
    // One token for both refreshes.
    expect(asked.mock.calls.map(([scope]) => scope)).toEqual([['https://vault.azure.net/.default']]);
  });

  it('reports the error of a credential by its name, without its message', async () => {
    const vault = await startVault({ secrets: { key: VALUE } });
    class OwnError extends Error {
      override readonly name = 'OwnError';
    }
    const credential = {
      async getToken(): Promise<never> {
        throw new OwnError('with the password hunter2');
      },
    };
    const { during, sourceOf } = simulateTime(vault);
    const error = await during(refusal(NAMES, sourceOf({ credential })));
    expect(error).toMatchObject({ code: 'IDENTITY_FAILED', what: expect.stringContaining('OwnError') });
    expectNothingSecret(vault, ['hunter2'], error);
  });
});

describe('the tokens of keyVault', () => {
  it('requests one token for many secrets and refreshes', async () => {
    const secrets = Object.fromEntries(Array.from({ length: 12 }, (_, index) => [`key-${index}`, 'value']));
    const vault = await startVault({ secrets });
    const requests = requestsOf(vault);
    const { store } = await openStore(
      Object.fromEntries(Object.keys(secrets).map((name) => [name, name])),
      sourceOf(vault),
    );
    for (let round = 0; round < 3; round += 1) await store.refresh();
    expect(requests.at('token')).toBe(1);
  });

  it('replaces a refused token and continues the refresh', async () => {
    const vault = await startVault({ secrets: { key: 'value-0' } });
    const { store, log } = await openStore(NAMES, sourceOf(vault));
    for (const round of [1, 2, 3]) {
      vault.revokeTokens();
      await vault.set('key', `value-${round}`);
      const requests = requestsOf(vault);
      await store.refresh();
      expect(store.reveal('key')).toBe(`value-${round}`);
      expect(requests.all.filter((one) => one.startsWith('token'))).toEqual(['token 200']);
    }
    expect(log.errors).toEqual([]);
  });

  it('reads the token file of the pod again for each new token', async () => {
    const vault = await startVault({ secrets: { key: 'value-0' } });
    await vault.projectToken({ subject: 'system:serviceaccount:other:app' });
    const { tokenFilePath } = vault.workloadIdentity;
    expect(await refusal(NAMES, sourceOf(vault))).toMatchObject({ code: 'IDENTITY_SUBJECT_UNKNOWN' });
    await vault.projectToken();
    const { store, log } = await openStore(NAMES, sourceOf(vault));
    rmSync(tokenFilePath);
    vault.revokeTokens();
    await store.refresh();
    expect(log.codes()).toEqual(['IDENTITY_TOKEN_FILE']);
    expect(store.reveal('key')).toBe('value-0');
  });
});

function stub(variables: Readonly<Record<string, string | undefined>>): void {
  for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value);
  onTestFinished(() => {
    vi.unstubAllEnvs();
  });
}
