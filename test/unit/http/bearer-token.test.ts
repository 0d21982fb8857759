import { expect, it } from 'vitest';
import { assertPeer } from '../../../src/internal/peer';
import { bearerToken } from '../../../src/triggers/index';

const usual = { tenantId: '72f988bf-86f1-41af-91ab-2d7cd011db47', audience: 'api://shop-webhook' };

it.each([
  { options: { tenantId: 'common' }, code: 'OPTION_INVALID' },
  { options: { tenantId: undefined }, code: 'OPTION_INVALID' },
  { options: { audience: '' }, code: 'OPTION_INVALID' },
  { options: { audience: undefined }, code: 'OPTION_INVALID' },
  { options: { audience: [] }, code: 'OPTION_INVALID' },
  { options: { appIds: [] }, code: 'OPTION_INVALID' },
  { options: { issuer: [7] }, code: 'OPTION_INVALID' },
  { options: { clockToleranceMs: -1 }, code: 'OPTION_INVALID' },
  { options: { jwksUrl: 'http://keys.example/keys' }, code: 'OPTION_INVALID' },
  { options: { jwksUrl: 'keys' }, code: 'OPTION_INVALID' },
  { options: { clientId: 'x' }, code: 'OPTION_UNKNOWN' },
])('refuses at creation what cannot work: $options', ({ options, code }) => {
  expect(() => bearerToken({ ...usual, ...options } as never)).toThrow(expect.objectContaining({ code }));
});

it('is there with a tenant and an audience', () => {
  expect(bearerToken(usual)).toBeTypeOf('function');
});

it('names a package that is not installed, with the command that installs it', () => {
  expect(() => assertPeer('hot-secrets-no-such-package')).toThrow(
    expect.objectContaining({
      code: 'PEER_MISSING',
      next: 'Run: npm install hot-secrets-no-such-package',
    }),
  );
});
