import type { SecureContextOptions } from 'node:tls';
import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { checkedContext } from '../../../../src/adapters/tls/secure-context';
import { createAuthority } from '../../../support/certificates';
import { createPfx } from '../../../support/pfx';
import { linesOf } from '../../../support/tls-harness';

const authority = await createAuthority();
const [{ cert, key, chain }, other] = await Promise.all([authority.issue(), authority.issue()]);
const half = (pem: string) => pem.slice(0, pem.length / 2);
const bytes = (text: string) => new Uint8Array(Buffer.from(text)) as Buffer;

function refusal(options: object, pair: 'required' | 'optional' = 'required'): unknown {
  try {
    checkedContext('web server', options as SecureContextOptions, pair);
  } catch (error) {
    return error;
  }
  return undefined;
}

describe('the check of a context', () => {
  it.each<[string, object]>([
    ['a pair', { cert, key }],
    ['a chain', { cert: chain, key }],
    ['buffers and arrays', { cert: [Buffer.from(cert)], key: [bytes(key)], ca: [bytes(authority.cert)] }],
    ['keys as objects', { cert, key: [{ pem: key }] }],
    ['a PFX', { pfx: createPfx({ cert, key, password: 'p' }), passphrase: 'p' }],
    ['a PFX as an object', { pfx: [{ buf: createPfx({ cert, key, password: 'p' }), passphrase: 'p' }] }],
    [
      'a bundle of authorities',
      { cert, key, ca: `# ours\n${authority.cert}\r\n${authority.cert}trailing\n` },
    ],
  ])('accepts a context with %s', (_what, options) => {
    expect(refusal(options)).toBe(undefined);
  });

  it.each<[string, string, object]>([
    ['no pair', 'CERTIFICATE_MISSING', {}],
    ['no certificate', 'CERTIFICATE_MISSING', { key }],
    ['an empty certificate', 'CERTIFICATE_MISSING', { cert: '', key }],
    ['no key', 'PRIVATE_KEY_MISSING', { cert }],
    ['an empty key', 'PRIVATE_KEY_MISSING', { cert, key: '' }],
    ['an empty key among others', 'PRIVATE_KEY_MISSING', { cert, key: [{ pem: key }, { pem: '' }] }],
    ['an empty PFX', 'CERTIFICATE_MISSING', { pfx: Buffer.alloc(0) }],
    ['an empty ca', 'CERTIFICATE_MISSING', { cert, key, ca: [] }],
    ['a ca of garbage', 'CERTIFICATE_INVALID', { cert, key, ca: 'no certificate' }],
    ['a ca that is cut off', 'CERTIFICATE_INVALID', { cert, key, ca: half(authority.cert) }],
    [
      'a ca whose last certificate is cut off',
      'CERTIFICATE_INVALID',
      { cert, key, ca: authority.cert + half(cert) },
    ],
    ['a key among the ca', 'CERTIFICATE_INVALID', { cert, key, ca: [authority.cert, key] }],
    ['the key of another certificate', 'TLS_OPTIONS_INVALID', { cert, key: other.key }],
    ['a key that is cut off', 'TLS_OPTIONS_INVALID', { cert, key: half(key) }],
    ['a certificate that is cut off', 'TLS_OPTIONS_INVALID', { cert: half(cert), key }],
    ['a wrong passphrase', 'TLS_OPTIONS_INVALID', { pfx: createPfx({ cert, key, password: 'p' }) }],
    ['an unknown cipher', 'TLS_OPTIONS_INVALID', { cert, key, ciphers: 'NONE' }],
  ])('refuses a context with %s (%s), and prints nothing of the key', (_what, code, options) => {
    const error = refusal(options);
    expect(error).toMatchObject({ code, message: expect.stringContaining('web server') });
    const shown = inspect(error, { depth: 20, showHidden: true });
    for (const line of [...linesOf(key), ...linesOf(other.key)]) expect(shown).not.toContain(line);
  });

  it('accepts a client context without a pair, but not with half of one', () => {
    expect(refusal({}, 'optional')).toBe(undefined);
    expect(refusal({ ca: authority.cert }, 'optional')).toBe(undefined);
    expect(refusal({ cert }, 'optional')).toMatchObject({ code: 'PRIVATE_KEY_MISSING' });
    expect(refusal({ key }, 'optional')).toMatchObject({ code: 'CERTIFICATE_MISSING' });
    expect(refusal({ cert: '', key: '' }, 'optional')).toMatchObject({ code: 'CERTIFICATE_MISSING' });
  });
});
