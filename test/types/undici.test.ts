import type { SecretStore, TlsMaterial, TlsTrust } from 'hot-secrets';
import { createDispatcher, type HotDispatcher } from 'hot-secrets/undici';
import * as undici from 'undici';
import { expectTypeOf, test } from 'vitest';

declare const secrets: SecretStore<{ readonly client: TlsMaterial; readonly ca: TlsTrust }>;

test('gives the recipe of createDispatcher the types of the store, and returns a Dispatcher', () => {
  const make = () =>
    createDispatcher(
      secrets,
      (s) => ({
        connections: 10,
        connect: { ...s.reveal('client'), ca: s.revealWithPrevious('ca').flatMap(({ ca }) => ca) },
      }),
      { undici },
    );
  expectTypeOf(make).returns.toEqualTypeOf<HotDispatcher>();
  expectTypeOf<HotDispatcher>().toExtend<undici.Dispatcher>();
  // @ts-expect-error A name that the store does not have.
  () => createDispatcher(secrets, (s) => ({ connect: s.reveal('clients') }));
  // @ts-expect-error Connections are counted.
  () => createDispatcher(secrets, () => ({ connections: 'many' }));
  // @ts-expect-error A promise is no configuration.
  () => createDispatcher(secrets, async () => ({ connections: 1 }));
  // @ts-expect-error A misspelt option.
  () => createDispatcher(secrets, () => ({}), { drainTimeout: 1 });
});

test('types close and destroy of a dispatcher, with promises and with callbacks', () => {
  const end = (dispatcher: HotDispatcher) => {
    expectTypeOf(dispatcher.close()).toEqualTypeOf<Promise<void>>();
    expectTypeOf(dispatcher.destroy(new Error('enough'))).toEqualTypeOf<Promise<void>>();
    dispatcher.close(() => {});
    dispatcher.destroy(null, () => {});
    expectTypeOf(dispatcher.closed).toEqualTypeOf<boolean>();
    expectTypeOf(dispatcher.rotation.generation).toEqualTypeOf<number>();
  };
  expectTypeOf(end).returns.toEqualTypeOf<void>();
});
