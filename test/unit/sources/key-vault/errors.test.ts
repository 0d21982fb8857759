import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { SecretsError } from '../../../../src/errors';
import { identityError } from '../../../../src/sources/key-vault/identity-errors';
import { retryAfterMs, vaultError } from '../../../../src/sources/key-vault/vault-errors';

const PLACE = { vaultUrl: 'https://shop.vault.azure.net', secret: 'key' };
const restError = (facts: object) => Object.assign(new Error('with the body {"value":"hunter2"}'), facts);

describe('an error of the clients', () => {
  it('is reported without its message, which may hold an answer', () => {
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

  it('keeps its network code, and says what to check when a name does not resolve', () => {
    for (const code of ['ECONNREFUSED', 'ECONNRESET', 'ENOTFOUND', 'EAI_AGAIN']) {
      const { what, next } = vaultError(restError({ name: 'RestError', code }), PLACE, 5_000);
      expect(what).toContain(code);
      expect(next?.includes('DNS')).toBe(code === 'ENOTFOUND');
    }
  });

  it('stays as it is when it already is a SecretsError', () => {
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

  it('accepts seconds or a date', () => {
    expect(waitFor('7')).toBe(7_000);
    expect(waitFor('Thu, 01 Jan 2026 00:01:00 GMT')).toBe(60_000);
    expect(waitFor('Wed, 31 Dec 2025 00:00:00 GMT')).toBe(0);
  });

  it('is ignored when it holds anything else', () => {
    for (const header of ['', 'soon', undefined]) expect(waitFor(header)).toBeUndefined();
    expect(retryAfterMs(restError({}), 0)).toBeUndefined();
  });
});

describe('an identity without a token file', () => {
  const told = (facts: object, message = '') =>
    identityError(Object.assign(new Error(message), facts), undefined);

  it('counts as missing when no credential found anything, and says how to get one', () => {
    for (const name of ['CredentialUnavailableError', 'AggregateAuthenticationError']) {
      expect(told({ name })).toMatchObject({
        code: 'IDENTITY_MISSING',
        next: expect.stringContaining('az login'),
      });
    }
  });

  it('counts as failed when a credential was asked', () => {
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
