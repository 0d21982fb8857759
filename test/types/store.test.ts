import { type DeepReadonly, isSecretsError, memory, type Secret, SecretStore, secret } from 'hot-secrets';
import * as v from 'valibot';
import { describe, expectTypeOf, it } from 'vitest';
import * as z from 'zod';

const values = { user: 'u', key: 'k', zod: '{"a":1}', valibot: '{"a":1}', any: '1' };

describe('the types of a store', () => {
  it('infers the types of secrets from their definitions', async () => {
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
    expectTypeOf(store.reveal('zod')).toEqualTypeOf<{ readonly a: number }>();
    expectTypeOf(store.reveal('valibot')).toEqualTypeOf<{ readonly a: number }>();
    // @ts-expect-error All readers share one value.
    void (() => (store.reveal('zod').a = 2));
    expectTypeOf(store.reveal('any')).toEqualTypeOf<unknown>();
    expectTypeOf(store.reveal('beta')).toEqualTypeOf<string | undefined>();
    expectTypeOf(store.get('user')).toEqualTypeOf<Secret<string>>();
    expectTypeOf(store.get('beta')).toEqualTypeOf<Secret<string> | undefined>();
    expectTypeOf(store.revealWithPrevious('key')).toEqualTypeOf<readonly Uint8Array[]>();
    // @ts-expect-error Nobody declared it.
    void (() => store.reveal('usr'));
  });

  it('makes JSON values read-only at every depth, except dates, bytes and functions', () => {
    interface Given {
      list: { host: string }[];
      pair: [string, number];
      at: Date;
      bytes: Uint8Array;
      call: () => string[];
      any: unknown;
      maybe?: { x: 1 };
    }
    interface Kept {
      readonly list: readonly { readonly host: string }[];
      readonly pair: readonly [string, number];
      readonly at: Date;
      readonly bytes: Uint8Array;
      readonly call: () => string[];
      readonly any: unknown;
      readonly maybe?: { readonly x: 1 };
    }
    expectTypeOf<DeepReadonly<Given>>().toEqualTypeOf<Kept>();
  });

  it('types the events, the names and the error codes of a store', async () => {
    await using store = await SecretStore.open({
      secrets: { user: 'user', key: secret.bytes('key') },
      sources: [memory(values)],
      on: {
        change: ({ changes }) => expectTypeOf(changes[0]?.name).toEqualTypeOf<'user' | 'key' | undefined>(),
      },
    });
    store.on('change', ({ changes }) => {
      for (const { name } of changes) expectTypeOf(store.get(name)).not.toBeAny();
      // @ts-expect-error It cannot be.
      void (() => changes[0]?.name === 'usr');
    });
    store.once('error', (error) => {
      if (isSecretsError(error, 'MOUNT_MISSING')) expectTypeOf(error.code).toEqualTypeOf<'MOUNT_MISSING'>();
    });
    for (const name of store.names()) expectTypeOf(store.get(name).name).toEqualTypeOf<string>();
    expectTypeOf(store.names()).toEqualTypeOf<readonly ('user' | 'key')[]>();
    // @ts-expect-error Nobody declared it.
    void (() => store.has('usr'));
    // @ts-expect-error No such event.
    void (() => store.on('changed', () => {}));
    // @ts-expect-error A misspelt option.
    void (() => store.refresh({ triger: 'deploy' }));
    const value: unknown = store;
    if (value instanceof SecretStore) expectTypeOf(value.name).toEqualTypeOf<string>();
  });

  it('types every secret as a string in discovery', async () => {
    await using store = await SecretStore.open({ sources: [memory(values)] });
    expectTypeOf(store.reveal('user')).toEqualTypeOf<string>();
  });
});
