import { Agent } from 'node:https';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { requestPolicy } from '../../../../src/sources/key-vault/connections';
import { createCredential, workloadIdentityOf } from '../../../../src/sources/key-vault/credentials';

const POD = {
  AZURE_TENANT_ID: '00000000-0000-4000-8000-000000000001',
  AZURE_CLIENT_ID: '00000000-0000-4000-8000-000000000002',
  AZURE_FEDERATED_TOKEN_FILE: '/var/run/secrets/azure/tokens/azure-identity-token',
};

function stub(variables: Readonly<Record<string, string | undefined>>): void {
  for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value);
  onTestFinished(() => {
    vi.unstubAllEnvs();
  });
}

const made = () => {
  const requests = requestPolicy(new Agent(), 1_000, new AbortController().signal);
  return createCredential(workloadIdentityOf(undefined), requests).constructor.name;
};

describe('the credential', () => {
  it('is in a pod its workload identity and nothing else', () => {
    stub(POD);
    expect(made()).toBe('WorkloadIdentityCredential');
  });

  it('is elsewhere the default one, also where a tenant and a client are set', () => {
    stub({ ...POD, AZURE_FEDERATED_TOKEN_FILE: undefined });
    expect(made()).toBe('DefaultAzureCredential');
    stub({ AZURE_TENANT_ID: undefined, AZURE_CLIENT_ID: undefined });
    expect(made()).toBe('DefaultAzureCredential');
  });

  it('is not made of half of a workload identity', () => {
    stub({ ...POD, AZURE_TENANT_ID: '', AZURE_CLIENT_ID: undefined });
    expect(made).toThrow(expect.objectContaining({ code: 'IDENTITY_MISSING' }));
    expect(made).toThrow('lacks AZURE_TENANT_ID, AZURE_CLIENT_ID');
  });
});

describe('the workload identity', () => {
  it('is the one of the environment, but for what is given', () => {
    stub(POD);
    expect(workloadIdentityOf({ clientId: 'another' })).toEqual({
      tenantId: POD.AZURE_TENANT_ID,
      clientId: 'another',
      tokenFilePath: POD.AZURE_FEDERATED_TOKEN_FILE,
    });
  });
});

describe('a request of the clients', () => {
  const never = new AbortController().signal;

  it('gets our agent where neither a proxy nor other TLS settings took it', async () => {
    const agent = new Agent();
    const proxy = new Agent();
    const { policy } = requestPolicy(agent, 1_000, never);
    const agentOf = (request: object) => policy.sendRequest(request, async (sent) => sent.agent);
    expect(await agentOf({})).toBe(agent);
    expect(await agentOf({ agent: proxy })).toBe(proxy);
    expect(await agentOf({ tlsSettings: {} })).toBeUndefined();
  });

  it('ends with its bound, with its own signal and with the source', async () => {
    const closing = new AbortController();
    const own = new AbortController();
    const hang = (signal: AbortSignal) =>
      new Promise<string>((resolve) => signal.addEventListener('abort', () => resolve('ended')));
    const send = (timeoutMs: number, request: object = {}) =>
      requestPolicy(new Agent(), timeoutMs, closing.signal).policy.sendRequest(request, (sent) =>
        hang(sent.abortSignal as AbortSignal),
      );
    expect(await send(10)).toBe('ended');
    const signalled = send(60_000, { abortSignal: own.signal });
    own.abort();
    expect(await signalled).toBe('ended');
    const closed = send(60_000);
    closing.abort();
    expect(await closed).toBe('ended');
  });
});
