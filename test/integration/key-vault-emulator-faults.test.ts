import type { KeyVaultFault } from 'hot-secrets/testing';
import { describe, expect, it } from 'vitest';
import { clientOf, failureOf, startVault } from '../support/key-vault-clients';
import { waitFor } from '../support/wait-for';

const SECRETS = { 'api-key': 'the-first-value', other: 'the-other-value' };
const forbidden = (inner: string) => ({ name: 'RestError', code: 'Forbidden', status: 403, inner });

describe('a fault of the emulated vault', () => {
  it.each<[KeyVaultFault, object]>([
    [{ kind: 'unauthorized' }, { name: 'RestError', code: 'Unauthorized', status: 401 }],
    [{ kind: 'rbac' }, forbidden('ForbiddenByRbac')],
    [{ kind: 'firewall' }, forbidden('ForbiddenByFirewall')],
    [{ kind: 'policy' }, forbidden('AccessDenied')],
    [{ kind: 'disabled' }, forbidden('SecretDisabled')],
    [{ kind: 'throttled' }, { name: 'RestError', code: 'Throttled', status: 429 }],
    [{ kind: 'unavailable' }, { name: 'RestError', code: 'ServiceUnavailable', status: 503 }],
    [
      { kind: 'unavailable', status: 500 },
      { name: 'RestError', code: 'ServiceUnavailable', status: 500 },
    ],
    [{ kind: 'empty-body' }, { name: 'TypeError', code: undefined, status: undefined }],
    [
      { kind: 'empty-body', status: 403 },
      { name: 'TypeError', code: undefined, status: undefined },
    ],
    [{ kind: 'bad-json' }, { name: 'RestError', code: 'PARSE_ERROR', status: 200 }],
    [{ kind: 'reset' }, { name: 'RestError', code: 'ECONNRESET', status: undefined }],
  ])('makes the real client fail like the service until the fault is lifted (%o)', async (fault, failure) => {
    const vault = await startVault({ secrets: SECRETS });
    const client = clientOf(vault);
    const lift = vault.fail(fault);
    expect(await failureOf(client.getSecret('api-key'))).toEqual(failure);
    expect(await failureOf(client.getSecret('api-key'))).toEqual(failure);
    lift();
    expect((await client.getSecret('api-key')).value).toBe('the-first-value');
  });

  it.each(['hang-before-headers', 'hang-in-body'] as const)(
    'keeps one request hanging and answers the next (%s)',
    async (kind) => {
      const vault = await startVault({ secrets: SECRETS });
      const client = clientOf(vault);
      await client.getSecret('api-key');
      vault.fail({ kind, times: 1 });
      const before = vault.requests.length;
      const giveUp = new AbortController();
      const failure = failureOf(client.getSecret('api-key', { abortSignal: giveUp.signal }));
      await waitFor(() => vault.requests.length > before);
      if (kind === 'hang-in-body') await waitFor(() => vault.requests.at(-1)?.status === 200);
      expect((await client.getSecret('api-key')).value).toBe('the-first-value');
      giveUp.abort();
      expect(await failure).toMatchObject({ name: 'AbortError' });
    },
  );

  it('delays answers with the fault "slow"', async () => {
    const vault = await startVault({ secrets: SECRETS });
    const client = clientOf(vault);
    await client.getSecret('api-key');
    vault.fail({ kind: 'slow', delayMs: 200 });
    const start = performance.now();
    expect((await client.getSecret('api-key')).value).toBe('the-first-value');
    expect(performance.now() - start).toBeGreaterThan(195);
  });

  it('limits a fault to some requests and secrets, and applies the newest fault', async () => {
    const vault = await startVault({ secrets: SECRETS });
    const client = clientOf(vault);
    vault.fail({ kind: 'rbac', names: ['API-KEY'] });
    vault.fail({ kind: 'throttled', names: ['api-key'], times: 2 });
    const codes: unknown[] = [];
    for (let round = 0; round < 4; round += 1)
      codes.push((await failureOf(client.getSecret('api-key'))).code);
    expect(codes).toEqual(['Throttled', 'Throttled', 'Forbidden', 'Forbidden']);
    expect((await client.getSecret('other')).value).toBe('the-other-value');
    const listed: string[] = [];
    for await (const { name } of client.listPropertiesOfSecrets()) listed.push(name);
    expect(listed).toEqual(['api-key', 'other']);
  });

  it('applies faults to lists, whose errors lose their inner code in the client', async () => {
    const vault = await startVault({ secrets: SECRETS });
    vault.fail({ kind: 'rbac' });
    const list = clientOf(vault).listPropertiesOfSecrets();
    expect(await failureOf(list.next())).toEqual({ name: 'RestError', code: 'Forbidden', status: 403 });
  });

  it('sends Retry-After with the fault "throttled"', async () => {
    const vault = await startVault({ secrets: SECRETS });
    vault.fail({ kind: 'throttled', retryAfterSeconds: 7 });
    const error = await clientOf(vault)
      .getSecret('api-key')
      .catch((reason) => reason);
    expect(error.response.headers.get('retry-after')).toBe('7');
  });
});

describe('a fault of emulated Entra ID', () => {
  it.each<[KeyVaultFault, RegExp]>([
    [{ kind: 'throttled' }, /AADSTS90055/],
    [{ kind: 'unavailable' }, /AADSTS90033/],
    [{ kind: 'empty-body' }, /network_error/],
    [{ kind: 'bad-json' }, /network_error/],
    [{ kind: 'reset' }, /network_error/],
  ])('keeps the real client from getting a token until the fault is lifted (%o)', async (fault, message) => {
    const vault = await startVault({ secrets: SECRETS });
    const lift = vault.fail({ ...fault, at: 'entra' });
    const error = await clientOf(vault)
      .getSecret('api-key')
      .catch((reason) => reason);
    expect(error).toMatchObject({
      name: 'AuthenticationRequiredError',
      message: expect.stringMatching(message),
    });
    lift();
    // After a 429 or a 5xx, the first client sends no request for a minute.
    expect((await clientOf(vault).getSecret('api-key')).value).toBe('the-first-value');
  });

  it('leaves clients alone that have a token when Entra ID fails', async () => {
    const vault = await startVault({ secrets: SECRETS });
    const client = clientOf(vault);
    await client.getSecret('api-key');
    vault.fail({ kind: 'unavailable', at: 'entra' });
    expect((await client.getSecret('api-key')).value).toBe('the-first-value');
  });
});

describe('fail()', () => {
  it.each<[object, string]>([
    [{ kind: 'broken' }, 'OPTION_INVALID'],
    [{ kind: 'rbac', at: 'entra' }, 'OPTION_INVALID'],
    [{ kind: 'slow', at: 'entra', names: ['a'] }, 'OPTION_INVALID'],
    [{ kind: 'throttled', times: '2' }, 'OPTION_INVALID'],
    [{ kind: 'throttled', retryAfterMs: 2 }, 'OPTION_UNKNOWN'],
    [{ kind: 'unavailable', status: 99 }, 'OPTION_INVALID'],
    [{ kind: 'rbac', names: 'a' }, 'OPTION_INVALID'],
  ])('refuses the invalid fault %o', async (fault, code) => {
    const vault = await startVault();
    expect(() => vault.fail(fault as KeyVaultFault)).toThrow(expect.objectContaining({ code }));
  });
});
