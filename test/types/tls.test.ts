import type { Server as HttpServer } from 'node:http';
import type { Http2SecureServer } from 'node:http2';
import type { Server as HttpsServer } from 'node:https';
import type { Server, TlsOptions } from 'node:tls';
import type { SecretStore, SecretsError, TlsMaterial } from 'hot-secrets';
import {
  type AttachedContext,
  attachSecureContext,
  createServerNames,
  type ServerNames,
} from 'hot-secrets/tls';
import { expectTypeOf, test } from 'vitest';

interface Values {
  readonly web: TlsMaterial;
  readonly token: string;
}
declare const secrets: SecretStore<Values>;
declare const others: SecretStore<{ readonly api: TlsMaterial }>;
declare const servers: { tls: Server; https: HttpsServer; http2: Http2SecureServer; http: HttpServer };

test('gives the recipe of attachSecureContext the types of the store', () => {
  const attach = () => attachSecureContext(servers.tls, secrets, (s) => s.reveal('web'));
  expectTypeOf(attach).returns.toEqualTypeOf<AttachedContext>();
  () => attachSecureContext(servers.https, secrets, (s) => ({ ...s.reveal('web'), minVersion: 'TLSv1.3' }));
  () => attachSecureContext(servers.http2, secrets, (s) => s.reveal('web'), { drainTimeoutMs: 1 });
  // @ts-expect-error A server without TLS.
  () => attachSecureContext(servers.http, secrets, (s) => s.reveal('web'));
  // @ts-expect-error A name that the store does not have.
  () => attachSecureContext(servers.tls, secrets, (s) => s.reveal('wbe'));
  // @ts-expect-error A text is no context.
  () => attachSecureContext(servers.tls, secrets, (s) => s.reveal('token'));
  // @ts-expect-error A promise is no context.
  () => attachSecureContext(servers.tls, secrets, async (s) => s.reveal('web'));
  // @ts-expect-error A misspelt option.
  () => attachSecureContext(servers.tls, secrets, (s) => s.reveal('web'), { drainTimeout: 1 });
});

test('accepts the server names of another store in attachSecureContext', () => {
  const make = () => createServerNames(secrets, { 'api.example.com': (s) => s.reveal('web') });
  expectTypeOf(make).returns.toEqualTypeOf<ServerNames<Values>>();
  () => {
    const names = createServerNames(others, { 'api.example.com': (s) => s.reveal('api') });
    expectTypeOf(names.SNICallback).toExtend<NonNullable<TlsOptions['SNICallback']>>();
    attachSecureContext(servers.tls, secrets, (s) => s.reveal('web'), { names });
    names.set('late.example.com', (s) => s.reveal('api'));
    // @ts-expect-error A name that its store does not have.
    names.set('late.example.com', (s) => s.reveal('web'));
  };
  // @ts-expect-error A misspelt option.
  () => createServerNames(secrets, {}, { drainTimeout: 1 });
});

test('types the events of attached contexts and of server names', () => {
  const listen = (source: AttachedContext | ServerNames<Values>) => {
    source.on('swapped', (event) => expectTypeOf(event.name).toEqualTypeOf<string>());
    source.on('rejected', (event) => expectTypeOf(event.error).toEqualTypeOf<SecretsError>());
    source.on('drained', (event) => expectTypeOf(event.forced).toEqualTypeOf<boolean>());
    source.on('error', (error) => expectTypeOf(error).toEqualTypeOf<SecretsError>());
    // @ts-expect-error No such event.
    source.on('renewed', () => {});
  };
  expectTypeOf(listen).returns.toEqualTypeOf<void>();
});
