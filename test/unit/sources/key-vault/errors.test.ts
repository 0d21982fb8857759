import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { SecretsError } from '../../../../src/errors';
import { identityError } from '../../../../src/sources/key-vault/identity-errors';
import { retryAfterMs, vaultError } from '../../../../src/sources/key-vault/vault-errors';

const PLACE = { vaultUrl: 'https://shop.vault.azure.net', secret: 'key' };
const restError = (facts: object) => Object.assign(new Error('with the body {"value":"hunter2"}'), facts);

describe('an error of the clients', () => {
  it('reports an error of the Azure clients without its message or response', () => {
    const errors = [
      restError({ name: 'RestError', code: 'PARSE_ERROR', statusCode: 200 }),
      restError({ name: 'RestError', statusCode: 500, response: { bodyAsText: 'hunter2' } }),
      restError({ name: 'RestError', statusCode: 403, details: { error: { message: 'hunter2' } } }),
      restError({ name: 'hunter2 hunter2', code: 'hunter2 hunter2' }),
      restError({ name: 'AbortError' }),
      'hunter2',
      null,
    ];
    for (const error of errors) {
      const told = [vaultError(error, PLACE, 5_000), identityError(error, undefined)];
      expect(inspect(told, { showHidden: true, depth: 10 })).not.toContain('hunter2');
    }
  });

  it('reports the network code of an error, and suggests DNS when a name does not resolve', () => {
    for (const code of ['ECONNREFUSED', 'ECONNRESET', 'ENOTFOUND', 'EAI_AGAIN']) {
      const { what, next } = vaultError(restError({ name: 'RestError', code }), PLACE, 5_000);
      expect(what).toContain(code);
      expect(next?.includes('DNS')).toBe(code === 'ENOTFOUND');
    }
  });

  it('passes a SecretsError on unchanged', () => {
    const ours = new SecretsError('PEER_MISSING', 'the package is not installed');
    expect(vaultError(ours, PLACE, 5_000)).toBe(ours);
    expect(identityError(ours, undefined)).toBe(ours);
  });
});

describe('Retry-After', () => {
  const waitFor = (header: string | undefined) =>
    retryAfterMs(
      restError({ response: { headers: { get: () => header } } }),
      Date.parse('2026-01-01T00:00:00Z'),
    );

  it('reads Retry-After as seconds or a date', () => {
    expect(waitFor('7')).toBe(7_000);
    expect(waitFor('Thu, 01 Jan 2026 00:01:00 GMT')).toBe(60_000);
    expect(waitFor('Wed, 31 Dec 2025 00:00:00 GMT')).toBe(0);
  });

  it('ignores a Retry-After that holds anything else', () => {
    for (const header of ['', 'soon', undefined]) expect(waitFor(header)).toBeUndefined();
    expect(retryAfterMs(restError({}), 0)).toBeUndefined();
  });
});

describe('an identity without a token file', () => {
  const told = (facts: object, message = '') =>
    identityError(Object.assign(new Error(message), facts), undefined);

  it('reports IDENTITY_MISSING when no credential is available, and says how to get one', () => {
    for (const name of ['CredentialUnavailableError', 'AggregateAuthenticationError']) {
      expect(told({ name })).toMatchObject({
        code: 'IDENTITY_MISSING',
        next: expect.stringContaining('az login'),
      });
    }
  });

  it('reports IDENTITY_FAILED when Entra ID refuses a credential or cannot be reached', () => {
    expect(told({ name: 'AuthenticationError' }, 'AADSTS7000215: hunter2')).toMatchObject({
      code: 'IDENTITY_FAILED',
      what: 'Entra ID issued no token: AADSTS7000215',
    });
    expect(told({ name: 'RestError', code: 'ECONNREFUSED' })).toMatchObject({
      code: 'IDENTITY_FAILED',
      what: expect.stringContaining('ECONNREFUSED'),
    });
  });
});
