import { describe, expect, it } from 'vitest';
import { sessionContext } from '../../../../src/adapters/tls/session-context';

const served = { cert: 'leaf', ca: ['one', 'two'], key: 'of the leaf' };
const first = sessionContext('app', [served]);

describe('the session context', () => {
  it('is equal in every process that serves the same certificates', () => {
    expect(first).toMatch(/^[0-9a-f]{32}$/);
    expect(sessionContext('app', [{ ...served, cert: Buffer.from('leaf') }])).toBe(first);
    expect(sessionContext('app', [{ ...served, cert: ['leaf'] }])).toBe(first);
  });

  it('does not depend on the key', () => {
    expect(sessionContext('app', [{ ...served, key: 'another' } as typeof served])).toBe(first);
  });

  it.each([
    ['certificate', sessionContext('app', [{ ...served, cert: 'renewed' }])],
    ['PFX', sessionContext('app', [{ ...served, pfx: Buffer.from('pfx') }])],
    ['PFX in an object', sessionContext('app', [{ ...served, pfx: [{ buf: Buffer.from('other') }] }])],
    ['authority', sessionContext('app', [{ ...served, ca: ['one'] }])],
    ['revocation list', sessionContext('app', [{ ...served, crl: 'revoked' }])],
    ['application', sessionContext('other', [served])],
    ['name beside it', sessionContext('app', [served, { cert: 'api' }])],
  ])('differs with another %s', (_what, other) => {
    expect(other).toMatch(/^[0-9a-f]{32}$/);
    expect(other).not.toBe(first);
  });
});
