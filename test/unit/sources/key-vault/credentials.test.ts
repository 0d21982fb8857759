import { describe, expect, it, onTestFinished, vi } from 'vitest';
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

const created = () => {
  const options = { additionalPolicies: [], retryOptions: { maxRetries: 0 } };
  return createCredential(workloadIdentityOf(undefined), options, undefined).constructor.name;
};

describe('the default credential', () => {
  it('uses only the workload identity in a pod', () => {
    stub(POD);
    expect(created()).toBe('WorkloadIdentityCredential');
  });

  it('uses the default credential without a token file, even if a tenant and a client are set', () => {
    stub({ ...POD, AZURE_FEDERATED_TOKEN_FILE: undefined });
    expect(created()).toBe('DefaultAzureCredential');
    stub({ AZURE_TENANT_ID: undefined, AZURE_CLIENT_ID: undefined });
    expect(created()).toBe('DefaultAzureCredential');
  });

  it('refuses an incomplete workload identity and names what is missing', () => {
    stub({ ...POD, AZURE_TENANT_ID: '', AZURE_CLIENT_ID: undefined });
    expect(created).toThrow(expect.objectContaining({ code: 'IDENTITY_MISSING' }));
    expect(created).toThrow('lacks AZURE_TENANT_ID, AZURE_CLIENT_ID');
  });
});

describe('the workload identity', () => {
  it('takes the workload identity from the environment, except for the given fields', () => {
    stub(POD);
    expect(workloadIdentityOf({ clientId: 'another' })).toEqual({
      tenantId: POD.AZURE_TENANT_ID,
      clientId: 'another',
      tokenFilePath: POD.AZURE_FEDERATED_TOKEN_FILE,
    });
  });
});
