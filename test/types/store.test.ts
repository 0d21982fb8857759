import { memory, type Secret, SecretStore, secret } from 'hot-secrets';
import * as v from 'valibot';
import { describe, expectTypeOf, it } from 'vitest';
import * as z from 'zod';

const values = { user: 'u', key: 'k', zod: '{"a":1}', valibot: '{"a":1}', any: '1' };

describe('the types of a store', () => {
  it('come from its definitions', async () => {
    await using store = await SecretStore.open({
      secrets: {
        user: 'user',
        key: secret.bytes('key'),
        zod: secret.json('zod', z.object({ a: z.number() })),
        valibot: secret.json('valibot', v.object({ a: v.number() })),
        any: secret.json('any'),
        beta: secret.text('beta').optional(),
      },
      sources: [memory(values)],
    });
    expectTypeOf(store.reveal('user')).toEqualTypeOf<string>();
    expectTypeOf(store.reveal('key')).toEqualTypeOf<Uint8Array>();
    expectTypeOf(store.reveal('zod')).toEqualTypeOf<{ a: number }>();
    expectTypeOf(store.reveal('valibot')).toEqualTypeOf<{ a: number }>();
    expectTypeOf(store.reveal('any')).toEqualTypeOf<unknown>();
    expectTypeOf(store.reveal('beta')).toEqualTypeOf<string | undefined>();
    expectTypeOf(store.get('user')).toEqualTypeOf<Secret<string>>();
    expectTypeOf(store.get('beta')).toEqualTypeOf<Secret<string> | undefined>();
    expectTypeOf(store.revealWithPrevious('key')).toEqualTypeOf<readonly Uint8Array[]>();
    // @ts-expect-error Nobody declared it.
    void (() => store.reveal('usr'));
  });

  it('are strings by any name where nothing was declared', async () => {
    await using store = await SecretStore.open({ sources: [memory(values)] });
    expectTypeOf(store.reveal('user')).toEqualTypeOf<string>();
  });
});
