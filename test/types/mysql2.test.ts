import type { SecretStore } from 'hot-secrets';
import { createPool, createPromisePool, type HotPool, type HotPromisePool } from 'hot-secrets/mysql2';
import * as mysql from 'mysql2';
import type { Pool as PromisePool } from 'mysql2/promise';
import { expectTypeOf, test } from 'vitest';

declare const secrets: SecretStore<{ readonly user: string; readonly password: string }>;

test('gives the recipe of a pool of mysql2 the types of the store, and returns pools of mysql2', () => {
  const make = () =>
    createPool(secrets, (s) => ({ user: s.reveal('user'), password: s.reveal('password') }), {
      mysql2: mysql,
    });
  expectTypeOf(make).returns.toEqualTypeOf<HotPool>();
  expectTypeOf<HotPool>().toExtend<mysql.Pool>();
  // expectTypeOf does not compare their events, whose methods return `this`.
  const promisePool = (pool: HotPool): HotPromisePool => pool.promise();
  const plain = (pool: HotPromisePool): PromisePool => pool;
  void [promisePool, plain];
  const promised = () => createPromisePool(secrets, (s) => ({ uri: `mysql://${s.reveal('user')}@db/app` }));
  expectTypeOf(promised).returns.toEqualTypeOf<HotPromisePool>();
  // @ts-expect-error A name that the store does not have.
  () => createPool(secrets, (s) => ({ user: s.reveal('usr') }));
  // @ts-expect-error A promise is no configuration.
  () => createPool(secrets, async () => ({ user: 'app' }));
  // @ts-expect-error A misspelt option.
  () => createPool(secrets, () => ({}), { drainTimeout: 1 });
});
