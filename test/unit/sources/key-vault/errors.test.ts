import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { SecretsError } from '../../../../src/errors';
import { identityError } from '../../../../src/sources/key-vault/identity-errors';
import { retryAfterMs, vaultError } from '../../../../src/sources/key-vault/vault-errors';

const PLACE = { vaultUrl: 'https://shop.vault.azure.net', secret: 'key' };
const restError = (facts: object) => Object.assign(new Error('with the body {"value":"hunter2"}'), facts);

describe('an error of the clients', () => {
  it('is told without a word of its message, which may be an answer', () => {
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

  it('of the network keeps its code, and of an unknown name says what to check', () => {
    for (const code of ['ECONNREFUSED', 'ECONNRESET', 'ENOTFOUND', 'EAI_AGAIN']) {
      const { what, next } = vaultError(restError({ name: 'RestError', code }), PLACE, 5_000);
      expect(what).toContain(code);
      expect(next?.includes('DNS')).toBe(code === 'ENOTFOUND');
    }
  });

  it('that is one of ours already stays as it is', () => {
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

  it('is a number of seconds or a date', () => {
    expect(waitFor('7')).toBe(7_000);
    expect(waitFor('Thu, 01 Jan 2026 00:01:00 GMT')).toBe(60_000);
    expect(waitFor('Wed, 31 Dec 2025 00:00:00 GMT')).toBe(0);
  });

  it('counts for nothing where it is anything else', () => {
    for (const header of ['', 'soon', undefined]) expect(waitFor(header)).toBeUndefined();
    expect(retryAfterMs(restError({}), 0)).toBeUndefined();
  });
});

describe('an identity without a file of its own', () => {
  const told = (facts: object, message = '') =>
    identityError(Object.assign(new Error(message), facts), undefined);

  it('is missing where no credential found anything, and says how to get one', () => {
    for (const name of ['CredentialUnavailableError', 'AggregateAuthenticationError']) {
      expect(told({ name })).toMatchObject({
        code: 'IDENTITY_MISSING',
        next: expect.stringContaining('az login'),
      });
    }
  });

  it('failed where one was asked', () => {
    expect(told({ name: 'AuthenticationError' }, 'AADSTS7000215: hunter2')).toMatchObject({
      code: 'IDENTITY_FAILED',
      what: 'Entra ID gave no token: AADSTS7000215',
    });
    expect(told({ name: 'RestError', code: 'ECONNREFUSED' })).toMatchObject({
      code: 'IDENTITY_FAILED',
      what: expect.stringContaining('ECONNREFUSED'),
    });
  });
});
