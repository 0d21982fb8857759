import { createPrivateKey } from 'node:crypto';
import { inspect } from 'node:util';
import * as grpc from '@grpc/grpc-js';
import { memory, SecretStore, type SecretsError } from 'hot-secrets';
import { createCallCredentials, createChannelCredentials, createServerCredentials } from 'hot-secrets/grpc';
import { describe, expect, it, onTestFinished } from 'vitest';
import { BAD_TOKEN, badCredentials, refusalOf } from '../support/bad-credentials';
import { openGrpcClient, pairAndCa, startGrpcServer, startGrpcSides } from '../support/grpc-stage';
import { startLoad } from '../support/load';
import { serialOf } from '../support/mutual-tls';
import { createPfx } from '../support/pfx';
import { waitFor } from '../support/wait-for';

async function openToken(token: string) {
  const source = memory({ token });
  const secrets = await SecretStore.open({ secrets: { token: 'token' }, sources: [source] });
  onTestFinished(() => secrets.close());
  const put = async (next: string) => {
    source.set({ token: next });
    await secrets.refresh();
  };
  return { secrets, put };
}

describe('the credentials of calls', () => {
  it('sends the current token with each call, also on a connection that was opened before', async () => {
    const { server, client } = await startGrpcSides();
    const { secrets, put } = await openToken('token-1');
    const started = await startGrpcServer(createServerCredentials(server.secrets, pairAndCa));
    const channel = createChannelCredentials(client.secrets, pairAndCa);
    const credentials = createCallCredentials(secrets, (s) => s.reveal('token'));
    const keyed = createCallCredentials(secrets, (s) => ({ 'X-Api-Key': ` ${s.reveal('token')}\n` }));
    const calls = openGrpcClient(started, channel.compose(credentials).compose(keyed));
    const load = startLoad(4, () => calls.metadata());
    for (let round = 1; round <= 4; round += 1) {
      if (round > 1) await put(`token-${round}`);
      await waitFor(() => credentials.rotation.generation === round && keyed.rotation.generation === round);
      expect(await calls.metadata()).toMatchObject({
        authorization: `Bearer token-${round}`,
        'x-api-key': `token-${round}`,
      });
    }
    expect((await load.stop()).failures).toEqual([]);
  });

  it.each([
    ...badCredentials('gRPC call credentials'),
    {
      title: 'no ASCII',
      recipe: (s: SecretStore) => `${s.reveal('token')}é`,
      code: 'RECIPE_FAILED',
      what: /`authorization`/,
    },
    {
      title: 'a name that gRPC keeps for bytes',
      recipe: (s: SecretStore) => ({ 'a-bin': s.reveal('token') }),
      code: 'RECIPE_FAILED',
      what: /`a-bin`/,
    },
  ])('refuses a recipe that returns $title, without the token', async ({ recipe, code, what }) => {
    const { secrets } = await openToken(BAD_TOKEN);
    const error = refusalOf(() => createCallCredentials(secrets, recipe as never));
    expect(error).toMatchObject({ code, what: expect.stringMatching(what) });
    expect(inspect(error)).not.toContain(BAD_TOKEN);
  });

  it('keeps sending the last good token while the recipe fails, and says so once', async () => {
    const { server } = await startGrpcSides();
    const { secrets, put } = await openToken('good');
    const errors: SecretsError[] = [];
    const credentials = createCallCredentials(secrets, (s) => s.reveal('token'), {
      name: 'orders token',
      retryBaseMs: 1,
    });
    credentials.rotation.on('rejected', ({ error }) => errors.push(error));
    const started = await startGrpcServer(createServerCredentials(server.secrets, (s) => s.reveal('pair')));
    const { ca } = server.secrets.reveal('ca');
    const trust = grpc.credentials.createSsl(Buffer.from(ca.join('')));
    const calls = openGrpcClient(started, trust.compose(credentials));
    await put('bad\ntoken');
    await waitFor(() => errors.length === 1);
    expect(await calls.metadata()).toMatchObject({ authorization: 'Bearer good' });
    await put('next');
    await waitFor(() => credentials.rotation.generation === 3);
    expect(await calls.metadata()).toMatchObject({ authorization: 'Bearer next' });
    expect(errors).toMatchObject([{ code: 'RECIPE_FAILED', resource: 'orders token' }]);
  });
});

describe('the material of gRPC credentials', () => {
  it('takes a PFX, an encrypted key, buffers and lists of authorities', async () => {
    const { authority, server, client, first } = await startGrpcSides();
    const encrypted = createPrivateKey(first.server.key).export({
      type: 'pkcs8',
      format: 'pem',
      cipher: 'aes-256-cbc',
      passphrase: 'open',
    });
    const pfx = await createPfx({ cert: first.client.chain, key: first.client.key, password: 'sesame' });
    const variants = [
      { key: encrypted, passphrase: 'open' },
      { key: [{ pem: encrypted, passphrase: 'open' }], cert: [first.server.chain] },
      { key: Buffer.from(first.server.key), cert: Buffer.from(first.server.chain) },
      { ca: [Buffer.from(authority.cert), authority.cert] },
      { key: `${first.server.key}${first.server.chain}`, cert: `${first.server.key}${first.server.chain}` },
    ];
    const channel = createChannelCredentials(client.secrets, (s) => ({
      ...s.reveal('ca'),
      pfx,
      passphrase: 'sesame',
    }));
    for (const variant of variants) {
      const credentials = createServerCredentials(
        server.secrets,
        (s) => ({ ...pairAndCa(s), ...variant }) as never,
      );
      const started = await startGrpcServer(credentials);
      expect(await openGrpcClient(started, channel).serial()).toBe(serialOf(first.client));
    }
  });

  it('serves a client without a certificate if that is not required, and asks for none without authorities', async () => {
    const { authority, server, client, first } = await startGrpcSides();
    const trust = grpc.credentials.createSsl(Buffer.from(authority.cert));
    const mutual = createChannelCredentials(client.secrets, pairAndCa);
    const serials = async (credentials: grpc.ServerCredentials) => {
      const started = await startGrpcServer(credentials);
      const ask = (one: grpc.ChannelCredentials) =>
        openGrpcClient(started, one)
          .serial()
          .catch(({ code }) => code);
      return [await ask(mutual), await ask(trust)];
    };
    const known = serialOf(first.client);
    const optional = { requireClientCertificate: false };
    expect(await serials(createServerCredentials(server.secrets, pairAndCa))).toEqual([
      known,
      grpc.status.UNAVAILABLE,
    ]);
    expect(await serials(createServerCredentials(server.secrets, pairAndCa, optional))).toEqual([
      known,
      'none',
    ]);
    expect(await serials(createServerCredentials(server.secrets, (s) => s.reveal('pair')))).toEqual([
      'none',
      'none',
    ]);
  });

  it('binds several ports with the same credentials, and binds again after a shutdown', async () => {
    const { authority, server, client } = await startGrpcSides();
    const credentials = createServerCredentials(server.secrets, pairAndCa);
    const channel = createChannelCredentials(client.secrets, pairAndCa);
    const [one, two] = await Promise.all([startGrpcServer(credentials), startGrpcServer(credentials)]);
    for (const started of [one, two]) await openGrpcClient(started, channel).serial();
    one.server.forceShutdown();
    two.server.forceShutdown();
    await server.put({ pair: await authority.issue() });
    await waitFor(() => credentials.rotation.generation === 2);
    await openGrpcClient(await startGrpcServer(credentials), channel).serial();
  });

  it('keeps what it has after the rotation is closed, also twice, and after the store is closed', async () => {
    const { authority, server, client, first } = await startGrpcSides();
    const credentials = createServerCredentials(server.secrets, pairAndCa);
    const channel = createChannelCredentials(client.secrets, pairAndCa);
    const started = await startGrpcServer(credentials);
    await Promise.all([credentials.rotation.close(), credentials.rotation.close()]);
    await server.put({ pair: await authority.issue() });
    await client.secrets.close();
    expect(credentials.rotation.generation).toBe(1);
    expect(await openGrpcClient(started, channel).serial()).toBe(serialOf(first.client));
  });

  it('prints neither a key nor a token', async () => {
    const { server, client, first } = await startGrpcSides();
    const { secrets } = await openToken('t0ps3cret');
    const channel = createChannelCredentials(client.secrets, pairAndCa);
    const started = await startGrpcServer(createServerCredentials(server.secrets, pairAndCa));
    const token = createCallCredentials(secrets, (s) => s.reveal('token'));
    await openGrpcClient(started, channel.compose(token)).serial();
    for (const [one, type] of [
      [channel, 'ChannelCredentials'],
      [token, 'CallCredentials'],
    ] as const) {
      expect(inspect(one, { showHidden: true, depth: 9 })).toMatch(new RegExp(`^${type} \\{ name: 'gRPC `));
      expect(JSON.stringify(one)).toMatch(/^\{"name":"gRPC /);
    }
    const key = Buffer.from(first.client.key);
    expect(inspect(channel.compose(token), { depth: 9 })).not.toContain(key.subarray(0, 20).toString('hex'));
  });

  it('takes the module of gRPC, and refuses one that lacks what it needs', async () => {
    const { server } = await startGrpcSides();
    const without = { ...grpc, experimental: {} } as never;
    expect(() => createServerCredentials(server.secrets, pairAndCa, { grpc: without })).toThrow(
      expect.objectContaining({
        code: 'PEER_UNSUPPORTED',
        what: 'the module @grpc/grpc-js that was passed lacks experimental.createCertificateProviderServerCredentials',
      }),
    );
    expect(() => createChannelCredentials(server.secrets, pairAndCa, { grpc: {} as never })).toThrow(
      expect.objectContaining({ code: 'PEER_UNSUPPORTED' }),
    );
    expect(createServerCredentials(server.secrets, pairAndCa, { grpc })).toBeInstanceOf(
      grpc.ServerCredentials,
    );
    expect(createChannelCredentials(server.secrets, pairAndCa, { grpc })).toBeInstanceOf(
      grpc.ChannelCredentials,
    );
  });
});
