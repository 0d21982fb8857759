import { memory, SecretStore, secret } from 'hot-secrets';
import { eventGridHandler, querySecret } from 'hot-secrets/http';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { delivery, gridSample } from '../../support/event-grid';
import { waitFor } from '../../support/wait-for';

const GRACE_MS = 60_000;

async function stage(values: Record<string, string | Buffer> = {}) {
  const source = memory({ code: 'first-code', ...values });
  const secrets = await SecretStore.open({
    secrets: {
      code: secret.text('code', { keepPreviousMs: GRACE_MS }),
      raw: secret.bytes('raw').optional(),
      structure: secret.json('structure').optional(),
    },
    sources: [source],
  });
  onTestFinished(() => secrets.close());
  return { source, secrets };
}

const at = (query: string, headers: Record<string, string> = {}) => ({
  method: 'POST',
  url: new URL(`https://shop.example/hooks${query}`),
  headers: new Headers(headers),
});

describe('querySecret with the query', () => {
  it('authorizes requests that carry the secret in the query, and no others', async () => {
    const { secrets } = await stage();
    const authorize = querySecret(secrets, 'code');
    expect(authorize(at('?code=first-code'))).toBe(true);
    expect(authorize(at('?a=b&code=first%2Dcode'))).toBe(true);
    for (const query of [
      '',
      '?code',
      '?code=',
      '?code=first',
      '?code=first-code2',
      '?Code=first-code',
      '?key=first-code',
    ]) {
      expect(authorize(at(query)), query).toBe(false);
    }
    expect(querySecret(secrets, 'code', { parameter: 'key' })(at('?key=first-code'))).toBe(true);
  });

  it('accepts the previous value during its grace period, over three rotations', async () => {
    const { source, secrets } = await stage();
    vi.useFakeTimers({ toFake: ['Date', 'performance'] });
    onTestFinished(() => void vi.useRealTimers());
    const authorize = querySecret(secrets, 'code');
    const codes = ['first-code', 'second-code', 'third-code', 'fourth-code'];
    for (let round = 1; round < codes.length; round += 1) {
      source.set({ code: codes[round] as string });
      await secrets.refresh();
      const verdicts = () => codes.map((code) => authorize(at(`?code=${code}`)));
      expect(verdicts()).toEqual(codes.map((_code, index) => index === round || index === round - 1));
      vi.advanceTimersByTime(GRACE_MS + 1);
      expect(verdicts()).toEqual(codes.map((_code, index) => index === round));
    }
  });

  it('compares a secret of bytes, and authorizes nothing while it has no value', async () => {
    const { source, secrets } = await stage();
    // The types refuse an optional secret; plain JavaScript does not.
    const authorize = querySecret(secrets, 'raw' as never);
    expect(authorize(at('?code=undefined'))).toBe(false);
    source.set({ raw: Buffer.from('some-bytes') });
    await waitFor(() => secrets.has('raw'));
    expect([authorize(at('?code=some-bytes')), authorize(at('?code=other'))]).toEqual([true, false]);
  });

  it('authorizes nothing with an empty secret', () => {
    const store = { revealWithPrevious: () => [''] } as unknown as SecretStore<{ readonly code: string }>;
    const authorize = querySecret(store, 'code', { header: 'x-code' });
    expect([authorize(at('?code=')), authorize(at('', { 'x-code': '' }))]).toEqual([false, false]);
  });
});

describe('querySecret with a header', () => {
  it('accepts the secret in a header, alone or after Bearer, in addition to the query', async () => {
    const { secrets } = await stage();
    const authorize = querySecret(secrets, 'code', { header: 'authorization' });
    const verdict = (value: string) => authorize(at('', { authorization: value }));
    expect(verdict('first-code')).toBe(true);
    expect(verdict('BEARER first-code')).toBe(true);
    expect(verdict('Bearer other-code')).toBe(false);
    expect(verdict('Bearer ')).toBe(false);
    expect(authorize(at('?code=first-code', { authorization: 'Bearer other' }))).toBe(true);
    const without = querySecret(secrets, 'code');
    expect(without(at('', { authorization: 'Bearer first-code' }))).toBe(false);
  });
});

describe('querySecret at start-up', () => {
  it('refuses querySecret with a JSON secret, a wrong store or wrong options', async () => {
    const { secrets } = await stage({ structure: '{"a":1}' });
    const thrown = (code: string) => expect.objectContaining({ code, next: expect.any(String) });
    expect(() => querySecret(secrets, 'structure' as never)).toThrow(thrown('OPTION_INVALID'));
    expect(() => querySecret(secrets, 'kode' as 'code')).toThrow(thrown('NAME_UNKNOWN'));
    expect(() => querySecret(secrets, 'code', { param: 'x' } as object)).toThrow(thrown('OPTION_UNKNOWN'));
    for (const options of [{ header: 'a b' }, { parameter: 7 }, null, 'code']) {
      expect(() => querySecret(secrets, 'code', options as never)).toThrow(thrown('OPTION_INVALID'));
    }
    for (const store of [undefined, null, {}, () => secrets, Promise.resolve(secrets)]) {
      expect(() => querySecret(store as never, 'code' as never)).toThrow(thrown('OPTION_INVALID'));
    }
  });
});

describe('querySecret on an endpoint', () => {
  it('follows the rotation that an authorized event announces', async () => {
    const { watch: _silent, ...source } = memory({ code: 'first-code' });
    const secrets = await SecretStore.open({ secrets: { code: 'code' }, sources: [source] });
    const handler = eventGridHandler(secrets, {
      authorize: querySecret(secrets, 'code'),
      minIntervalMs: 0,
    });
    const deliver = async (code: string) =>
      (await handler(delivery([gridSample], { url: `https://shop.example/hooks?code=${code}` }))).status;
    let code = 'first-code';
    for (const next of ['second-code', 'third-code', 'fourth-code']) {
      source.set({ code: next });
      expect(await deliver(code)).toBe(200);
      await waitFor(() => secrets.reveal('code') === next);
      // Without a grace period the old value is invalid now.
      expect(await deliver(code)).toBe(401);
      code = next;
    }
    await secrets.close();
    expect(await deliver(code)).toBe(503);
  });
});
