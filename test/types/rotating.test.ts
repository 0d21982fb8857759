import { type Rotating, rotating, type SecretStore } from 'hot-secrets';
import { expectTypeOf, test } from 'vitest';

declare const secrets: SecretStore<{ readonly token: string; readonly beta: string | undefined }>;

test('gives the resource of rotating() the type that build returns', () => {
  const make = () =>
    rotating(secrets, {
      build: async (s, signal) => {
        expectTypeOf(s.reveal('token')).toEqualTypeOf<string>();
        expectTypeOf(s.reveal('beta')).toEqualTypeOf<string | undefined>();
        expectTypeOf(signal).toEqualTypeOf<AbortSignal>();
        return new Map<string, number>();
      },
      verify: (resource) => expectTypeOf(resource).toEqualTypeOf<Map<string, number>>(),
      drain: (resource) => resource.clear(),
      dispose: (resource) => resource.clear(),
    });
  type Made = ReturnType<typeof make>;
  expectTypeOf<Made['current']>().toEqualTypeOf<Map<string, number>>();
  expectTypeOf<Made['ready']>().toEqualTypeOf<Promise<Map<string, number>>>();
  const use = (resource: Made) => resource.use((map) => map.size);
  expectTypeOf(use).returns.toEqualTypeOf<Promise<number>>();
});

test('refuses unknown names, options and events in rotating()', () => {
  // @ts-expect-error A name that the store does not have.
  () => rotating(secrets, { build: (s) => s.reveal('tokn') });
  // @ts-expect-error A misspelt option.
  () => rotating(secrets, { build: () => 1 }, { drainTimeout: 1 });
  // @ts-expect-error A store comes first.
  () => rotating({ build: () => 1 });
  const listen = (resource: Rotating<number>, signal: AbortSignal) => {
    expectTypeOf(resource.on('swapped', () => {}, { signal })).toEqualTypeOf<() => void>();
    resource.once('rejected', ({ error }) =>
      expectTypeOf(error.resource).toEqualTypeOf<string | undefined>(),
    );
    resource.off('drained', () => {});
  };
  expectTypeOf(listen).returns.toEqualTypeOf<void>();
  // @ts-expect-error No such event.
  () => rotating(secrets, { build: () => 1 }).on('renewed', () => {});
});
