import axios from 'axios';
import got from 'got';
import type { SecretStore } from 'hot-secrets';
import { type Bearer, bearer } from 'hot-secrets/bearer';
import * as undici from 'undici';
import { expectTypeOf, test } from 'vitest';

declare const secrets: SecretStore<{ readonly key: string; readonly beta: string | undefined }>;

test('types bearer for each client', () => {
  const use = () => {
    const auth = bearer(secrets, (s) => s.reveal('key'), { fetch: undici.fetch, statuses: [401, 403] });
    expectTypeOf(auth).toEqualTypeOf<Bearer>();
    expectTypeOf(auth.fetch).toExtend<typeof globalThis.fetch>();
    void auth.fetch('https://api.test/', { method: 'POST', body: () => 'made for each attempt' });
    const instance = axios.create();
    expectTypeOf(auth.axios(instance)).toEqualTypeOf(instance);
    expectTypeOf(got.extend(auth.got)).toExtend<typeof got>();
    new undici.Agent().compose(auth.interceptor('https://api.test'), undici.interceptors.redirect());
    new undici.Agent().compose([auth.interceptor(new URL('https://api.test'))]);
    expectTypeOf(auth.revealHeaders()).toEqualTypeOf<Record<string, string>>();
    auth.rotation.on('refused', ({ waiting, error }) => [waiting, error.code]);
  };
  expectTypeOf(use).returns.toEqualTypeOf<void>();
});

test('refuses what is neither a token nor headers', () => {
  // @ts-expect-error A name that the store does not have.
  () => bearer(secrets, (s) => s.reveal('keys'));
  // @ts-expect-error It may be missing.
  () => bearer(secrets, (s) => s.reveal('beta'));
  // @ts-expect-error A box.
  () => bearer(secrets, (s) => s.get('key'));
  // @ts-expect-error A promise.
  () => bearer(secrets, async (s) => s.reveal('key'));
  // @ts-expect-error A misspelt option.
  () => bearer(secrets, (s) => s.reveal('key'), { authFailureWait: 1 });
  // @ts-expect-error The origin that gets the credential.
  (auth: Bearer) => auth.interceptor();
});
