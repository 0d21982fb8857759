import type { DynamicModule } from '@nestjs/common';
import type { HealthIndicatorFunction } from '@nestjs/terminus';
import { memory, type Secret, type SecretStore, type Snapshot, secret } from 'hot-secrets';
import { healthIndicator } from 'hot-secrets/http';
import {
  InjectSecret,
  InjectSecrets,
  RequestSecrets,
  type SecretHandle,
  SecretsModule,
} from 'hot-secrets/nestjs';
import { expectTypeOf, test } from 'vitest';

interface Values {
  readonly user: string;
  readonly key: Uint8Array;
}
declare const store: SecretStore<Values>;
const secrets = { user: 'user', key: secret.bytes('key') };

test('accepts a store or its options in forRoot, and gives onRotate its types', () => {
  const given = () =>
    SecretsModule.forRoot({
      store,
      as: 'billing',
      closeStore: false,
      onRotate: (event, { snapshot }) => {
        expectTypeOf(event.generation).toEqualTypeOf<number>();
        expectTypeOf(snapshot).toEqualTypeOf<Snapshot<Values>>();
      },
    });
  expectTypeOf(given).returns.toEqualTypeOf<DynamicModule>();
  () =>
    SecretsModule.forRoot({
      secrets,
      sources: [memory()],
      isGlobal: false,
      onRotate: (_event, { snapshot }) => {
        expectTypeOf(snapshot.reveal('key')).toEqualTypeOf<Uint8Array>();
        // @ts-expect-error A name that is not declared.
        snapshot.reveal('keys');
      },
    });
  () => SecretsModule.forRoot();
  () =>
    SecretsModule.forRoot({
      onRotate: (_event, { snapshot }) => expectTypeOf(snapshot.reveal('any')).toEqualTypeOf<string>(),
    });
  // @ts-expect-error A store together with options of a new one.
  () => SecretsModule.forRoot({ store, secrets });
  // @ts-expect-error A misspelt option.
  () => SecretsModule.forRoot({ store, isglobal: true });
  // @ts-expect-error Endpoints that anybody could call.
  () => SecretsModule.forRoot({ store, endpoints: {} });
});

test('accepts a store or its options from the factory of forRootAsync', () => {
  const late = () =>
    SecretsModule.forRootAsync({
      as: 'billing',
      imports: [],
      inject: ['config'],
      useFactory: async (path: string) => ({ secrets, sources: [memory({ user: path })] }),
    });
  expectTypeOf(late).returns.toEqualTypeOf<DynamicModule>();
  () => SecretsModule.forRootAsync({ useFactory: () => ({ store, closeStore: false }) });
  () => SecretsModule.forRootAsync({ useFactory: async () => ({}) });
  // @ts-expect-error A factory that makes something else.
  () => SecretsModule.forRootAsync({ useFactory: () => 'store' });
});

test('allows InjectSecret, InjectSecrets and RequestSecrets on parameters and properties', () => {
  class Service {
    @InjectSecret('key') readonly key!: SecretHandle<Uint8Array>;
    constructor(
      @InjectSecrets() readonly secrets: SecretStore<Values>,
      @InjectSecret('user', 'billing') readonly user: SecretHandle,
    ) {}
    handle(@RequestSecrets('billing') snapshot: Snapshot<Values>) {
      return snapshot.reveal('user');
    }
  }
  const read = ({ key, user }: Service) => {
    expectTypeOf(user.reveal()).toEqualTypeOf<string>();
    expectTypeOf(key.reveal()).toEqualTypeOf<Uint8Array>();
    expectTypeOf(key.revealWithPrevious()).toEqualTypeOf<readonly Uint8Array[]>();
    expectTypeOf(key.get()).toEqualTypeOf<Secret<Uint8Array>>();
    key.watch((current, previous) => {
      expectTypeOf(current).toEqualTypeOf<Secret<Uint8Array>>();
      expectTypeOf(previous).toEqualTypeOf<Secret<Uint8Array> | undefined>();
    });
  };
  expectTypeOf(read).returns.toEqualTypeOf<void>();
  const optional = (handle: SecretHandle<string | undefined>) => handle.get();
  expectTypeOf(optional).returns.toEqualTypeOf<Secret<string> | undefined>();
});

test('returns health indicators that fit @nestjs/terminus', () => {
  const indicator = () => healthIndicator(store, 'vault', { stale: 'fail' });
  expectTypeOf<ReturnType<typeof indicator>>().toExtend<HealthIndicatorFunction>();
});
