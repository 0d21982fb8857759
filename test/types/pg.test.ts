import type { SecretStore, SecretsError } from 'hot-secrets';
import { createPool, type HotPool } from 'hot-secrets/pg';
import type { Pool } from 'pg';
import { expectTypeOf, test } from 'vitest';

declare const secrets: SecretStore<{ readonly user: string; readonly port: number }>;

test('gives the recipe of createPool the types of the store, and returns a pg.Pool', () => {
  const make = () => createPool(secrets, (s) => ({ user: s.reveal('user'), port: s.reveal('port') }));
  expectTypeOf(make).returns.toEqualTypeOf<HotPool>();
  expectTypeOf<HotPool>().toExtend<Pool>();
  // @ts-expect-error A name that the store does not have.
  () => createPool(secrets, (s) => ({ user: s.reveal('usr') }));
  // @ts-expect-error A number is no password.
  () => createPool(secrets, (s) => ({ password: s.reveal('port') }));
  // @ts-expect-error A promise is no configuration.
  () => createPool(secrets, async () => ({ user: 'me' }));
  // @ts-expect-error A misspelt option.
  () => createPool(secrets, () => ({}), { authFailureWait: 1 });
});

test('types the events of a pool', () => {
  const listen = ({ rotation }: HotPool) => {
    rotation.on('swapped', (event) =>
      expectTypeOf(event.previousGeneration).toEqualTypeOf<number | undefined>(),
    );
    rotation.on('rejected', (event) => expectTypeOf(event.error).toEqualTypeOf<SecretsError>());
    rotation.on('refused', (event) => expectTypeOf(event.waiting).toEqualTypeOf<number>());
    rotation.on('accepted', (event) => expectTypeOf(event.waitedMs).toEqualTypeOf<number>());
    rotation.on('drained', (event) => expectTypeOf(event.forced).toEqualTypeOf<boolean>());
    rotation.on('error', (error) => expectTypeOf(error).toEqualTypeOf<SecretsError>());
    // @ts-expect-error No such event.
    rotation.on('renewed', () => {});
    // @ts-expect-error Read-only.
    rotation.generation = 1;
  };
  expectTypeOf(listen).returns.toEqualTypeOf<void>();
});
