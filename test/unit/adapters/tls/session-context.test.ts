import { describe, expect, it } from 'vitest';
import { sessionContext } from '../../../../src/adapters/tls/session-context';

const served = { cert: 'leaf', ca: ['one', 'two'], key: 'of the leaf' };
const first = sessionContext('app', [served]);

describe('the session context', () => {
  it('derives the same session context from the same certificates', () => {
    expect(first).toMatch(/^[0-9a-f]{32}$/);
    expect(sessionContext('app', [{ ...served, cert: Buffer.from('leaf') }])).toBe(first);
    expect(sessionContext('app', [{ ...served, cert: ['leaf'] }])).toBe(first);
  });

  it('derives the same session context with another key', () => {
    expect(sessionContext('app', [{ ...served, key: 'another' } as typeof served])).toBe(first);
  });

  it.each([
    ['certificate', sessionContext('app', [{ ...served, cert: 'renewed' }])],
    ['PFX', sessionContext('app', [{ ...served, pfx: Buffer.from('pfx') }])],
    ['PFX in an object', sessionContext('app', [{ ...served, pfx: [{ buf: Buffer.from('other') }] }])],
    ['authority', sessionContext('app', [{ ...served, ca: ['one'] }])],
    ['revocation list', sessionContext('app', [{ ...served, crl: 'revoked' }])],
    ['application', sessionContext('other', [served])],
    ['server name', sessionContext('app', [served, { cert: 'api' }])],
  ])('derives another session context with another %s', (_what, other) => {
    expect(other).toMatch(/^[0-9a-f]{32}$/);
    expect(other).not.toBe(first);
  });
});
