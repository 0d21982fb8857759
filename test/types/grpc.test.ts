import * as grpc from '@grpc/grpc-js';
import type { SecretStore, TlsMaterial, TlsTrust } from 'hot-secrets';
import {
  createCallCredentials,
  createChannelCredentials,
  createServerCredentials,
  type HotCallCredentials,
  type HotChannelCredentials,
  type HotServerCredentials,
} from 'hot-secrets/grpc';
import { expectTypeOf, test } from 'vitest';

declare const secrets: SecretStore<{
  readonly web: TlsMaterial;
  readonly ca: TlsTrust;
  readonly token: string;
}>;

test('types the credentials of gRPC as those of the package, with the rotation', () => {
  const server = () =>
    createServerCredentials(
      secrets,
      (s) => ({ ...s.reveal('web'), ca: s.revealWithPrevious('ca').flatMap(({ ca }) => ca) }),
      { grpc, requireClientCertificate: true },
    );
  expectTypeOf(server).returns.toEqualTypeOf<HotServerCredentials>();
  expectTypeOf<HotServerCredentials>().toExtend<grpc.ServerCredentials>();
  const channel = () => createChannelCredentials(secrets, (s) => s.reveal('web'), { verifyOptions: {} });
  expectTypeOf(channel).returns.toEqualTypeOf<HotChannelCredentials>();
  expectTypeOf<HotChannelCredentials>().toExtend<grpc.ChannelCredentials>();
  const call = () => createCallCredentials(secrets, (s) => ({ 'x-api-key': s.reveal('token') }));
  expectTypeOf(call).returns.toEqualTypeOf<HotCallCredentials>();
  expectTypeOf<HotCallCredentials>().toExtend<grpc.CallCredentials>();
  expectTypeOf<HotCallCredentials['rotation']['generation']>().toEqualTypeOf<number>();
});

test('refuses what gRPC does not take', () => {
  // @ts-expect-error A name that the store does not have.
  () => createServerCredentials(secrets, (s) => s.reveal('webs'));
  // @ts-expect-error A promise is no token.
  () => createCallCredentials(secrets, async (s) => s.reveal('token'));
  // @ts-expect-error An option of servers.
  () => createChannelCredentials(secrets, (s) => s.reveal('web'), { requireClientCertificate: true });
  // @ts-expect-error The connections belong to gRPC.
  (credentials: HotServerCredentials) => credentials.rotation.staleCount;
});
