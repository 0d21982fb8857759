import { expect, it } from 'vitest';
import { probeFailure } from '../../../../src/adapters/pg/credential';
import { assertJavaScript, refusalOf } from '../../../../src/adapters/pg/pg-internals';

const errorOf = (code: string, message = 'fictitious') => Object.assign(new Error(message), { code });

it.each([
  ['28P01', 'fictitious'],
  ['28000', 'fictitious'],
  ['08P01', 'SASL authentication failed'],
  ['08P01', 'password authentication failed'],
  ['08P01', 'no such user: app'],
  ['SELF_SIGNED_CERT_IN_CHAIN', 'fictitious'],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'fictitious'],
  ['CERT_SIGNATURE_FAILURE', 'fictitious'],
])('waits for a newer secret after %s (%s)', (code, message) => {
  expect(refusalOf(errorOf(code, message))).toContain(code);
  expect(probeFailure('pool', errorOf(code, message)).code).toBe('CREDENTIAL_REFUSED');
});

it.each(['08P01', '53300', '57P03', 'ECONNREFUSED', 'ERR_TLS_CERT_ALTNAME_INVALID'])(
  'passes on a login that fails with %s',
  (code) => {
    expect(refusalOf(errorOf(code))).toBeUndefined();
    expect(probeFailure('pool', errorOf(code)).code).toBe('VERIFY_FAILED');
  },
);

it('passes on an untrusted server certificate when the recipe names no authorities', () => {
  expect(refusalOf(errorOf('SELF_SIGNED_CERT_IN_CHAIN'), false)).toBeUndefined();
});

it('says what a state of the server means, and nothing of its message', () => {
  const { message } = probeFailure('pool', errorOf('57P03'));
  expect(message).toContain('SQLSTATE 57P03: the server does not accept connections now');
  expect(message).not.toContain('fictitious');
});

it('refuses the native bindings of pg', () => {
  class Native {
    isConnected() {}
  }
  expect(() => assertJavaScript({ Client: Native, Pool: class {} } as never)).toThrow(
    expect.objectContaining({
      code: 'PEER_UNSUPPORTED',
      next: expect.stringContaining('NODE_PG_FORCE_NATIVE'),
    }),
  );
});
