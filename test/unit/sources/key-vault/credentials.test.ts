import { Agent } from 'node:https';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { type Connections, clientOptions } from '../../../../src/sources/key-vault/connections';
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

const optionsOf = (given: Partial<Connections> = {}) =>
  clientOptions({
    timeoutMs: 1_000,
    closing: new AbortController().signal,
    given: undefined,
    own: new Agent(),
    ...given,
  });

const made = () => {
  return createCredential(workloadIdentityOf(undefined), optionsOf()).constructor.name;
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
  const send = async (options: Partial<Connections>, request: object, next: Next) =>
    optionsOf(options).additionalPolicies[0]?.policy.sendRequest(request, next);
  type Next = (request: { agent?: unknown; abortSignal?: AbortSignal }) => Promise<unknown>;

  it('goes through the agent that was given, else through a proxy, else through ours', async () => {
    const [given, own, proxy] = [new Agent(), new Agent(), new Agent()];
    const agentOf = (request: object) => send({ own }, request, async ({ agent }) => agent);
    expect(optionsOf({ given, own }).agent).toBe(given);
    expect(optionsOf({ own })).not.toHaveProperty('agent');
    expect(await agentOf({ agent: proxy })).toBe(proxy);
    expect(await agentOf({})).toBe(own);
    expect(await agentOf({ tlsSettings: {} })).toBeUndefined();
  });

  it('ends with its bound, with its own signal and with the source', async () => {
    const [closing, caller] = [new AbortController(), new AbortController()];
    const hang: Next = ({ abortSignal }) =>
      new Promise((resolve) => abortSignal?.addEventListener('abort', () => resolve('ended')));
    const options = { closing: closing.signal, timeoutMs: 60_000 };
    expect(await send({ ...options, timeoutMs: 10 }, {}, hang)).toBe('ended');
    const called = send(options, { abortSignal: caller.signal }, hang);
    caller.abort();
    expect(await called).toBe('ended');
    const closed = send(options, {}, hang);
    closing.abort();
    expect(await closed).toBe('ended');
  });
});
