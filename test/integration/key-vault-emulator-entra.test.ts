import { ClientSecretCredential, WorkloadIdentityCredential } from '@azure/identity';
import { SecretClient } from '@azure/keyvault-secrets';
import type { ProjectedToken } from 'hot-secrets/testing';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { ask, clientOf, credentialOf, failureOf, startVault, tokenFor } from '../support/key-vault-clients';

const SECRETS = { a: 'value' };
const SCOPE = 'https://vault.azure.net/.default';

describe('Entra ID of the emulator', () => {
  it.each<[string, ProjectedToken, number]>([
    ['of another subject', { subject: 'system:serviceaccount:default:other' }, 700213],
    ['whose subject differs in case', { subject: 'system:serviceaccount:default:App' }, 7002138],
    ['of another issuer', { issuer: 'https://oidc.example/' }, 700211],
    ['for another audience', { audience: 'https://kubernetes.default.svc' }, 700212],
    ['that is expired', { expiresInMs: -60_000 }, 700024],
    ['that the cluster did not sign', { forged: true }, 700027],
    ['that is malformed', { content: 'garbage' }, 50027],
  ])('refuses a federated token %s, as Entra ID does', async (_, token, number) => {
    const vault = await startVault({ secrets: SECRETS });
    await vault.projectToken(token);
    const error = await credentialOf(vault)
      .getToken(SCOPE)
      .catch((reason) => reason);
    expect(error).toMatchObject({
      name: 'AuthenticationRequiredError',
      message: expect.stringContaining(`AADSTS${number}: `),
    });
    await vault.projectToken();
    expect((await clientOf(vault).getSecret('a')).value).toBe('value');
  });

  it('refuses an unknown application in the format of Entra ID', async () => {
    const vault = await startVault();
    const url = `https://login.microsoftonline.com/${vault.workloadIdentity.tenantId}/oauth2/v2.0/token`;
    const form = new URLSearchParams({
      grant_type: 'client_credentials',
      client_id: 'somebody',
      scope: SCOPE,
      'client-request-id': 'of-the-client',
    });
    const time = expect.stringMatching(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ$/);
    expect(await ask(vault, url, { method: 'POST', body: form.toString() })).toMatchObject({
      status: 400,
      body: {
        error: 'unauthorized_client',
        error_description: expect.stringMatching(
          /^AADSTS700016: Application with identifier 'somebody' was not/,
        ),
        error_codes: [700016],
        timestamp: time,
        trace_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
        correlation_id: 'of-the-client',
        error_uri: 'https://login.microsoftonline.com/error?code=700016',
      },
    });
  });

  it.each([
    ['application', { clientId: '00000000-0000-4000-8000-00000000000f' }, /AADSTS700016/],
    ['tenant', { tenantId: '00000000-0000-4000-8000-00000000000f' }, /AADSTS90002/],
  ])('refuses another %s than that of the emulator', async (_, other, message) => {
    const { agent, workloadIdentity } = await startVault();
    const credential = new WorkloadIdentityCredential({ ...workloadIdentity, ...other, agent });
    await expect(credential.getToken(SCOPE)).rejects.toThrow(message);
  });

  it('accepts only the client secret in its options', async () => {
    const vault = await startVault({ secrets: SECRETS, clientSecret: 'right' });
    const { agent, workloadIdentity: identity } = vault;
    const by = (secret: string) =>
      new ClientSecretCredential(identity.tenantId, identity.clientId, secret, { agent });
    expect((await new SecretClient(vault.vaultUrl, by('right'), { agent }).getSecret('a')).value).toBe(
      'value',
    );
    await expect(by('wrong').getToken(SCOPE)).rejects.toThrow(/AADSTS7000215/);
  });

  it('answers the discovery requests of Entra ID', async () => {
    const vault = await startVault();
    const base = 'https://login.microsoftonline.com';
    const instance = `${base}/common/discovery/instance?api-version=1.1&authorization_endpoint=`;
    const own = encodeURIComponent(`${base}/${vault.workloadIdentity.tenantId}/oauth2/v2.0/authorize`);
    const { body } = await ask(vault, instance + own);
    const { tenant_discovery_endpoint: discovery } = body as { tenant_discovery_endpoint: string };
    expect((await ask(vault, `${instance}https%3A%2F%2Felsewhere.example%2F`)).status).toBe(400);
    const metadata = (await ask(vault, discovery)).body as { token_endpoint: string; jwks_uri: string };
    expect(metadata.token_endpoint).toContain(`${base}/${vault.workloadIdentity.tenantId}/`);
    const keys = (await ask(vault, metadata.jwks_uri)).body as { keys: object[] };
    expect(keys.keys).toEqual([
      { kty: 'RSA', alg: 'RS256', use: 'sig', kid: expect.any(String), n: expect.any(String), e: 'AQAB' },
    ]);
  });
});

describe('the vault of the emulator', () => {
  afterEach(() => void vi.useRealTimers());

  const refusal = async (vault: Awaited<ReturnType<typeof startVault>>, token: string) => {
    const { status, headers, body } = await ask(vault, `${vault.vaultUrl}/secrets/a?api-version=7.4`, {
      token,
    });
    return { status, challenge: headers['www-authenticate'], ...(body as object) };
  };
  const refusedWith = (message: string) => ({
    status: 401,
    challenge: expect.stringContaining('Bearer authorization='),
    error: { code: 'Unauthorized', message: expect.stringContaining(message) },
  });

  it('refuses vault tokens for another resource, tokens of another tenant, and malformed ones', async () => {
    const vault = await startVault({ secrets: SECRETS });
    const stranger = await startVault();
    const management = await tokenFor(vault, 'https://management.azure.com');
    expect(await refusal(vault, management)).toEqual(refusedWith('AKV10022: Invalid audience.'));
    expect(await refusal(vault, await tokenFor(stranger))).toEqual(refusedWith('AKV10046'));
    expect(await refusal(vault, 'garbage')).toEqual(refusedWith('Error validating token'));
  });

  it('refuses an expired vault token, which the client replaces in time', async () => {
    const vault = await startVault({ secrets: SECRETS, tokenLifetimeMs: 600_000 });
    const client = clientOf(vault);
    await client.getSecret('a');
    const token = await tokenFor(vault);
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 601_000 });
    expect(await refusal(vault, token)).toEqual(refusedWith('[TokenExpired]'));
    expect((await client.getSecret('a')).value).toBe('value');
  });

  it('refuses revoked vault tokens and accepts later ones', async () => {
    const vault = await startVault({ secrets: SECRETS });
    const client = clientOf(vault);
    await client.getSecret('a');
    vault.revokeTokens();
    expect(await failureOf(client.getSecret('a'))).toMatchObject({ code: 'Unauthorized', status: 401 });
    expect((await clientOf(vault).getSecret('a')).value).toBe('value');
  });
});

describe('projectToken()', () => {
  it.each<[object, string]>([
    [{ expiresInMs: '1' }, 'OPTION_INVALID'],
    [{ forged: 1 }, 'OPTION_INVALID'],
    [{ subjekt: 'a' }, 'OPTION_UNKNOWN'],
  ])('refuses to project the token %o', async (token, code) => {
    const vault = await startVault();
    await expect(vault.projectToken(token as ProjectedToken)).rejects.toMatchObject({ code });
  });
});
