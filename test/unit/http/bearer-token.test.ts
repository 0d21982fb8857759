import { bearerToken } from 'hot-secrets/http';
import { describe, expect, it } from 'vitest';

const usual = { tenantId: '72f988bf-86f1-41af-91ab-2d7cd011db47', audience: 'api://shop-webhook' };

describe('bearerToken', () => {
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
    { options: { fetch: 'proxy' }, code: 'OPTION_INVALID' },
    { options: { clientId: 'x' }, code: 'OPTION_UNKNOWN' },
  ])('refuses bearerToken with the options $options', ({ options, code }) => {
    expect(() => bearerToken({ ...usual, ...options } as never)).toThrow(expect.objectContaining({ code }));
  });

  it.each([undefined, null, 'api://shop-webhook', []])(
    'refuses bearerToken with %j in place of options',
    (options) => {
      expect(() => bearerToken(options as never)).toThrow(
        expect.objectContaining({ code: 'OPTION_INVALID' }),
      );
    },
  );

  it('requires only a tenant and an audience for bearerToken', () => {
    expect(bearerToken(usual)).toBeTypeOf('function');
  });
});
