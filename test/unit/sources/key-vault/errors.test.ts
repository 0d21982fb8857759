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

describe('a connection that fails', () => {
  it.each([
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'NODE_EXTRA_CA_CERTS'],
    ['SELF_SIGNED_CERT_IN_CHAIN', 'NODE_EXTRA_CA_CERTS'],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', 'NODE_EXTRA_CA_CERTS'],
    ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'NODE_EXTRA_CA_CERTS'],
    ['CERT_HAS_EXPIRED', 'clock'],
    ['CERT_NOT_YET_VALID', 'clock'],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'another name'],
  ])('reports %s as VAULT_UNTRUSTED, of the vault and of Entra ID', (code, next) => {
    const error = restError({ name: 'RestError', code });
    const host = 'login.microsoftonline.com';
    for (const told of [
      vaultError(error, PLACE, 5_000),
      identityError(new Error('x'), undefined, [{ error, host }]),
    ]) {
      expect(told).toMatchObject({ code: 'VAULT_UNTRUSTED', next: expect.stringContaining(next) });
    }
    expect(vaultError(error, PLACE, 5_000).what).toContain('shop.vault.azure.net');
  });

  it('reports an inner code of a 403 that it does not know as it is, without advice about roles', () => {
    const details = { error: { innerError: { code: 'ForbiddenByMoon' } } };
    const told = vaultError(restError({ name: 'RestError', statusCode: 403, details }), PLACE, 5_000);
    expect(told).toMatchObject({ code: 'VAULT_DENIED', what: expect.stringContaining('ForbiddenByMoon') });
    expect(told.next).not.toContain('az role');
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

  it.each([
    [
      'AADSTS7000215: hunter2',
      'IDENTITY_REFUSED',
      'the client secret is wrong (AADSTS7000215)',
      'az ad app credential reset',
    ],
    [
      'invalid_client: AADSTS7000222: hunter2',
      'IDENTITY_REFUSED',
      'the client secret has expired',
      'az ad app credential reset',
    ],
    ['AADSTS53003: hunter2', 'IDENTITY_REFUSED', 'Conditional Access blocks the identity', 'sign-in log'],
    ['AADSTS53000: hunter2', 'IDENTITY_REFUSED', 'Conditional Access blocks the identity', 'sign-in log'],
    ['interaction_required: AADSTS50076: hunter2', 'IDENTITY_REFUSED', 'needs a second factor', 'az login'],
    ['invalid_grant: AADSTS700082: hunter2', 'IDENTITY_REFUSED', 'the login has expired', 'az login'],
    ['AADSTS7000112: hunter2', 'IDENTITY_REFUSED', 'the application is disabled', 'administrator'],
    // Unknown numbers: what was received, and no advice that may be wrong.
    [
      'invalid_grant: AADSTS999999: hunter2',
      'IDENTITY_REFUSED',
      'AADSTS999999, invalid_grant',
      'error?code=999999',
    ],
    ['AADSTS999999: hunter2', 'IDENTITY_FAILED', 'issued no token: AADSTS999999', 'error?code=999999'],
    ['temporarily_unavailable: AADSTS90033: hunter2', 'IDENTITY_FAILED', 'AADSTS90033', 'error?code=90033'],
    ['invalid_request: AADSTS90006: hunter2', 'IDENTITY_FAILED', 'AADSTS90006', 'error?code=90006'],
    ['unauthorized_client: hunter2', 'IDENTITY_REFUSED', 'unauthorized_client', 'sign-in log'],
  ])('reports "%s" as %s and says what it means', (message, code, what, next) => {
    const error = told({ name: 'AuthenticationError' }, message);
    expect(error.code).toBe(code);
    expect(error.what).toContain(what);
    expect(error.next).toContain(next);
    expect(error.message).not.toContain('hunter2');
  });

  it('names the credentials that were tried, and a managed identity that is not assigned', () => {
    const name = 'AggregateAuthenticationError';
    const tried =
      'ChainedTokenCredential authentication failed.\nCredentialUnavailableError: EnvironmentCredential: x\nCredentialUnavailableError: AzureCliCredential: y';
    expect(told({ name }, tried)).toMatchObject({
      code: 'IDENTITY_MISSING',
      what: expect.stringContaining('(tried: EnvironmentCredential, AzureCliCredential)'),
    });
    for (const answer of ['Identity not found', 'No managed identity found', "identity isn't assigned"]) {
      const error = told({ name }, `ManagedIdentityCredential: Authentication failed. ${answer}`);
      expect(error.what).toBe(
        'the managed identity is not assigned to this machine (tried: ManagedIdentityCredential)',
      );
      expect(error.next).toContain('az vm identity assign');
    }
  });

  it('reports IDENTITY_FAILED when Entra ID cannot be reached', () => {
    expect(told({ name: 'RestError', code: 'ECONNREFUSED' })).toMatchObject({
      code: 'IDENTITY_FAILED',
      what: expect.stringContaining('ECONNREFUSED'),
    });
  });
});
