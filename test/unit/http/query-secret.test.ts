import { memory, SecretStore, secret } from 'hot-secrets';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { eventGridHandler, querySecret } from '../../../src/triggers/index';
import { delivery, gridSample } from '../../support/event-grid';
import { waitFor } from '../../support/wait-for';

const GRACE_MS = 60_000;

async function stage(values: Record<string, string | Buffer> = { code: 'first-code' }) {
  const source = memory(values);
  const secrets = await SecretStore.open({
    secrets: {
      code: secret.text('code', { keepPreviousMs: GRACE_MS }).optional(),
      raw: secret.bytes('raw').optional(),
      structure: secret.json('structure').optional(),
    },
    sources: [source],
  });
  return { source, secrets };
}

const at = (query: string, headers: Record<string, string> = {}) => ({
  method: 'POST',
  url: new URL(`https://shop.example/hooks${query}`),
  headers: new Headers(headers),
});

describe('a secret in the query', () => {
  it('lets in who shows it, and nobody else', async () => {
    const { secrets } = await stage();
    const authorize = querySecret(secrets, 'code');
    const admitted = async (query: string) => authorize(at(query));
    expect(await admitted('?code=first-code')).toBe(true);
    expect(await admitted('?a=b&code=first%2Dcode')).toBe(true);
    for (const query of [
      '',
      '?code',
      '?code=',
      '?code=first',
      '?code=first-code2',
      '?Code=first-code',
      '?key=first-code',
    ]) {
      expect(await admitted(query), query).toBe(false);
    }
    expect(await querySecret(secrets, 'code', { parameter: 'key' })(at('?key=first-code'))).toBe(true);
    await secrets.close();
  });

  it('is taken in its old form too while the grace of its rotation lasts, over three rotations', async () => {
    const { source, secrets } = await stage();
    vi.useFakeTimers({ toFake: ['Date'] });
    onTestFinished(() => void vi.useRealTimers());
    const authorize = querySecret(secrets, 'code');
    const codes = ['first-code', 'second-code', 'third-code', 'fourth-code'];
    for (let round = 1; round < codes.length; round += 1) {
      source.set({ code: codes[round] as string });
      await secrets.refresh();
      const admitted = () => codes.map((code) => authorize(at(`?code=${code}`)));
      expect(admitted()).toEqual(codes.map((_code, index) => index === round || index === round - 1));
      vi.setSystemTime(Date.now() + GRACE_MS + 1);
      expect(admitted()).toEqual(codes.map((_code, index) => index === round));
    }
    await secrets.close();
  });

  it('may be bytes, and lets nobody in while it has no value', async () => {
    const { source, secrets } = await stage({});
    const authorize = querySecret(secrets, 'raw');
    expect(authorize(at('?code=undefined'))).toBe(false);
    source.set({ raw: Buffer.from('some-bytes') });
    await waitFor(() => secrets.has('raw'));
    expect([authorize(at('?code=some-bytes')), authorize(at('?code=other'))]).toEqual([true, false]);
    await secrets.close();
  });
});

it('an empty secret lets nobody in, should there ever be one', () => {
  const store = { revealWithPrevious: () => [''] } as unknown as SecretStore<{ readonly code: string }>;
  const authorize = querySecret(store, 'code', { header: 'x-code' });
  expect([authorize(at('?code=')), authorize(at('', { 'x-code': '' }))]).toEqual([false, false]);
});

describe('a secret in a header', () => {
  it('is taken alone or after Bearer, beside the query', async () => {
    const { secrets } = await stage();
    const authorize = querySecret(secrets, 'code', { header: 'authorization' });
    const admitted = async (value: string) => authorize(at('', { authorization: value }));
    expect(await admitted('first-code')).toBe(true);
    expect(await admitted('BEARER first-code')).toBe(true);
    expect(await admitted('Bearer other-code')).toBe(false);
    expect(await admitted('Bearer ')).toBe(false);
    expect(await authorize(at('?code=first-code', { authorization: 'Bearer other' }))).toBe(true);
    const without = querySecret(secrets, 'code');
    expect(await without(at('', { authorization: 'Bearer first-code' }))).toBe(false);
    await secrets.close();
  });
});

it('a secret that cannot be shown keeps the process from starting', async () => {
  const { secrets } = await stage({ code: 'first-code', structure: '{"a":1}' });
  const thrown = (code: string) => expect.objectContaining({ code });
  expect(() => querySecret(secrets, 'structure')).toThrow(thrown('OPTION_INVALID'));
  expect(() => querySecret(secrets, 'kode' as 'code')).toThrow(thrown('NAME_UNKNOWN'));
  expect(() => querySecret(secrets, 'code', { param: 'x' } as object)).toThrow(thrown('OPTION_UNKNOWN'));
  expect(() => querySecret(secrets, 'code', { header: 'a b' })).toThrow(thrown('OPTION_INVALID'));
  await secrets.close();
});

it('an event that it let in makes a store look, which changes who is let in', async () => {
  const { watch: _untold, ...source } = memory({ code: 'first-code' });
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
    // Without a grace, the old one is worth nothing now.
    expect(await deliver(code)).toBe(401);
    code = next;
  }
  await secrets.close();
  expect(await deliver(code)).toBe(503);
});
