import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { PeerCertificate } from 'node:tls';
import * as grpc from '@grpc/grpc-js';
import type { SecretsError } from 'hot-secrets';
import { createChannelCredentials, createServerCredentials } from 'hot-secrets/grpc';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createAuthority } from '../support/certificates';
import {
  type GrpcClient,
  openGrpcClient,
  pairAndCa,
  startGrpcServer,
  startGrpcSides,
} from '../support/grpc-stage';
import { startLoad } from '../support/load';
import { serialOf } from '../support/mutual-tls';
import { waitFor } from '../support/wait-for';

/** For a machine that is busy with something else. */
const SLOW = { timeoutMs: 60_000 };
const MINUTES = { timeout: 180_000 };

/** Leaves room for the other side, which runs in the same process. */
const pause = () => sleep(5);

/** Without it, gRPC tries a call again only once that came as the server closed the connection. */
const RETRIES = {
  'grpc.service_config': JSON.stringify({
    methodConfig: [
      {
        name: [{}],
        retryPolicy: {
          maxAttempts: 5,
          initialBackoff: '0.05s',
          maxBackoff: '1s',
          backoffMultiplier: 2,
          retryableStatusCodes: ['UNAVAILABLE'],
        },
      },
    ],
  }),
};

async function startMutual(serverOptions: grpc.ServerOptions = {}) {
  const sides = await startGrpcSides();
  const serverCredentials = createServerCredentials(sides.server.secrets, pairAndCa);
  const seen: string[] = [];
  const channelCredentials = createChannelCredentials(sides.client.secrets, pairAndCa, {
    verifyOptions: {
      checkServerIdentity: (_host, { serialNumber }: PeerCertificate) => {
        seen.push(serialNumber);
        return undefined;
      },
    },
  });
  const server = await startGrpcServer(serverCredentials, serverOptions);
  const open = (options: grpc.ChannelOptions = {}) => openGrpcClient(server, channelCredentials, options);
  return {
    ...sides,
    serverCredentials,
    channelCredentials,
    grpcServer: server,
    open,
    /** Shakes hands anew. Resolves with the certificates that both sides saw. */
    async handshake() {
      const client = open();
      const byServer = await client.serial();
      client.close();
      return { byServer, byClient: seen.at(-1) };
    },
  };
}

describe('a rotation of the certificates of gRPC', MINUTES, () => {
  it('fails no unary or streaming call under load while pairs and authorities of both sides rotate', async () => {
    const stage = await startMutual();
    const { authority, server, client, handshake, open } = stage;
    const long = open();
    const unary = startLoad(4, () => long.serial().finally(pause));
    const streams = startLoad(2, async () => {
      expect(await long.stream(10, 5)).toHaveLength(10);
    });
    const fresh = startLoad(2, () => handshake().finally(pause));
    const through: GrpcClient = open();
    // One stream lives through all rotations.
    const throughAll = { messages: 0, running: true };
    const whole = (async () => {
      while (throughAll.running) throughAll.messages += (await through.stream(50, 10)).length;
    })();
    await waitFor(() => fresh.done > 5 && streams.done > 3, SLOW);

    const next = await createAuthority();
    const both = `${authority.cert}${next.cert}`;
    const [oldServer, oldClient, newServer, newClient] = [
      await authority.issue(),
      await authority.issue({ commonName: 'client' }),
      await next.issue(),
      await next.issue({ commonName: 'client' }),
    ];
    const steps = [
      () => server.put({ pair: oldServer }),
      () => client.put({ pair: oldClient }),
      // The overlap: both sides trust both authorities before a pair of the new one is used.
      () => server.put({ ca: both }),
      () => client.put({ ca: both }),
      () => server.put({ pair: newServer }),
      () => client.put({ pair: newClient }),
    ];
    const expected = [
      [oldServer, stage.first.client],
      [oldServer, oldClient],
      [oldServer, oldClient],
      [oldServer, oldClient],
      [newServer, oldClient],
      [newServer, newClient],
    ] as const;
    for (const [index, step] of steps.entries()) {
      await step();
      const [serverPair, clientPair] = expected[index] as (typeof expected)[number];
      await waitFor(
        () =>
          stage.serverCredentials.rotation.generation === server.secrets.generation &&
          stage.channelCredentials.rotation.generation === client.secrets.generation,
      );
      expect(await handshake()).toEqual({ byServer: serialOf(clientPair), byClient: serialOf(serverPair) });
      const reached = { fresh: fresh.done + 5, streams: streams.done + 3 };
      await waitFor(() => fresh.done > reached.fresh && streams.done > reached.streams, SLOW);
    }
    // The old authority ends; connections that it vouched for stay.
    await server.put({ ca: next.cert });
    await client.put({ ca: next.cert });
    await waitFor(() => stage.serverCredentials.rotation.generation === server.secrets.generation);
    expect(await handshake()).toEqual({ byServer: serialOf(newClient), byClient: serialOf(newServer) });
    const stranger = openGrpcClient(
      stage.grpcServer,
      grpc.credentials.createSsl(
        Buffer.from(next.cert),
        Buffer.from(oldClient.key),
        Buffer.from(oldClient.cert),
      ),
    );
    await expect(stranger.serial()).rejects.toMatchObject({ code: grpc.status.UNAVAILABLE });
    expect(await long.serial()).toBe(serialOf(stage.first.client));

    throughAll.running = false;
    await whole;
    expect(throughAll.messages).toBeGreaterThan(0);
    for (const load of [unary, streams, fresh]) expect((await load.stop()).failures).toEqual([]);
  });

  it.each<[string, grpc.ServerOptions, boolean]>([
    ['drain of the server', {}, true],
    ['maximum age of connections', { 'grpc.max_connection_age_ms': 300 }, false],
  ])(
    'moves connections to the new certificates without a failed call through a %s',
    async (_title, options, drains) => {
      const stage = await startMutual(options);
      const { authority, server, client, grpcServer, open } = stage;
      if (drains) {
        stage.serverCredentials.rotation.on('swapped', () =>
          grpcServer.server.drain(grpcServer.address, 20_000),
        );
      }
      const clients = [open(RETRIES), open(RETRIES)];
      const calls = clients.map((one) => startLoad(3, () => one.serial().finally(pause)));
      const streams = clients.map((one) =>
        startLoad(2, async () => {
          expect(await one.stream(20, 5)).toHaveLength(20);
        }),
      );
      for (let round = 0; round < 4; round += 1) {
        const pair = await authority.issue({ commonName: 'client' });
        await client.put({ pair });
        await waitFor(() => stage.channelCredentials.rotation.generation === client.secrets.generation);
        await server.put({ pair: await authority.issue() });
        await waitFor(async () => {
          const serials = await Promise.all(clients.map((one) => one.serial()));
          return serials.every((serial) => serial === serialOf(pair));
        }, SLOW);
      }
      for (const load of [...calls, ...streams]) expect((await load.stop()).failures).toEqual([]);
    },
  );

  it('serves clients of a new authority, which a server with fixed credentials refuses', async () => {
    const stage = await startMutual();
    const { server, client, first, authority } = stage;
    const [cert, key] = [Buffer.from(first.server.chain), Buffer.from(first.server.key)];
    const pairs = [{ cert_chain: cert, private_key: key }];
    const fixed = await startGrpcServer(
      grpc.ServerCredentials.createSsl(Buffer.from(authority.cert), pairs, true),
    );
    const toFixed = () => openGrpcClient(fixed, stage.channelCredentials).serial();
    expect(await toFixed()).toBe(serialOf(first.client));
    const next = await createAuthority();
    const pair = { server: await next.issue(), client: await next.issue({ commonName: 'client' }) };
    await server.put({ pair: pair.server, ca: next.cert });
    await client.put({ pair: pair.client, ca: next.cert });
    await waitFor(
      () =>
        stage.serverCredentials.rotation.generation === 2 &&
        stage.channelCredentials.rotation.generation === 2,
    );
    expect(await stage.handshake()).toEqual({
      byServer: serialOf(pair.client),
      byClient: serialOf(pair.server),
    });
    await expect(toFixed()).rejects.toMatchObject({ code: grpc.status.UNAVAILABLE });
  });

  it('keeps serving the last good pair when a pair is bad, says so once, and uses the next good one', async () => {
    const stage = await startMutual();
    const { authority, server, handshake, first } = stage;
    const raw: SecretsError[] = [];
    server.secrets.on('error', (error) => raw.push(error));
    const other = await authority.issue();
    const good = await authority.issue();
    for (const bad of [
      { 'tls.crt': good.chain, 'tls.key': other.key },
      { 'tls.crt': 'no certificate', 'tls.key': good.key },
      { 'tls.crt': good.chain, 'tls.key': '' },
    ]) {
      const before = raw.length;
      server.source.set(bad);
      await server.secrets.refresh();
      await waitFor(() => raw.length > before);
      expect(await handshake()).toEqual({
        byServer: serialOf(first.client),
        byClient: serialOf(first.server),
      });
    }
    await server.put({ pair: good });
    await waitFor(() => stage.serverCredentials.rotation.generation === server.secrets.generation);
    expect(await handshake()).toEqual({ byServer: serialOf(first.client), byClient: serialOf(good) });
  });

  it('refuses a generation that the recipe of a server or channel must not use, and keeps the one before', async () => {
    const { authority, server, client, first } = await startGrpcSides();
    let bad: object | undefined;
    const recipe = (s: Parameters<typeof pairAndCa>[0]) => ({ ...pairAndCa(s), ...bad });
    const sides = [
      { side: server, credentials: createServerCredentials(server.secrets, recipe, { retryBaseMs: 1 }) },
      { side: client, credentials: createChannelCredentials(client.secrets, recipe, { retryBaseMs: 1 }) },
    ];
    const [serverSide, clientSide] = sides as [(typeof sides)[0], (typeof sides)[1]];
    const started = await startGrpcServer(serverSide.credentials as grpc.ServerCredentials);
    const call = async () => {
      const one = openGrpcClient(started, clientSide.credentials as grpc.ChannelCredentials);
      const serial = await one.serial();
      one.close();
      return serial;
    };
    const other = await authority.issue();
    const noAuthority = await authority.intermediate('No Authority', { isAuthority: false });
    const chained = await noAuthority.issue();
    const wrong: readonly [object, string, string][] = [
      [{ key: other.key }, 'TLS_OPTIONS_INVALID', 'both'],
      [{ ca: undefined }, 'CERTIFICATE_MISSING', 'both'],
      [{ ca: 'no certificate' }, 'CERTIFICATE_INVALID', 'both'],
      [{ ca: [] }, 'CERTIFICATE_MISSING', 'both'],
      [{ cert: undefined, key: undefined }, 'CERTIFICATE_MISSING', 'both'],
      [{ key: undefined }, 'PRIVATE_KEY_MISSING', 'both'],
      [{ minVersion: 'TLSv1.3' }, 'TLS_OPTIONS_INVALID', 'both'],
      [
        { cert: [first.server.cert, first.server.cert], key: [first.server.key, first.server.key] },
        'TLS_OPTIONS_INVALID',
        'both',
      ],
      [await authority.issue({ purposes: ['clientAuth'] }), 'CERTIFICATE_PURPOSE_WRONG', 'server'],
      [await authority.issue({ purposes: ['serverAuth'] }), 'CERTIFICATE_PURPOSE_WRONG', 'client'],
      [{ cert: chained.chain, key: chained.key }, 'CERTIFICATE_CHAIN_BROKEN', 'both'],
    ];
    for (const [index, [options, code, which]] of wrong.entries()) {
      bad = options;
      for (const { side, credentials } of sides) {
        if (which !== 'both' && side !== (which === 'server' ? server : client)) continue;
        const rejected = new Promise<SecretsError>((resolve) =>
          credentials.rotation.once('rejected', ({ error }) => resolve(error)),
        );
        const { generation } = credentials.rotation;
        await side.put({ pair: await authority.issue() });
        expect([index, (await rejected).code]).toEqual([index, code]);
        expect(credentials.rotation.generation).toBe(generation);
        expect(await call()).toMatch(/^[0-9a-f]+$/i);
        // Retries end with the first good generation.
        bad = undefined;
        await waitFor(() => credentials.rotation.generation === side.secrets.generation);
        bad = options;
      }
    }
  });

  it("serves while a pair is torn or gone, when gRPC's own file watcher refuses every client", async () => {
    const { authority, server } = await startGrpcSides();
    const folder = await mkdtemp(join(tmpdir(), 'grpc-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const [certificateFile, privateKeyFile] = [join(folder, 'tls.crt'), join(folder, 'tls.key')];
    const pair = await authority.issue();
    await writeFile(certificateFile, pair.chain);
    await writeFile(privateKeyFile, pair.key);
    const provider = new grpc.experimental.FileWatcherCertificateProvider({
      certificateFile,
      privateKeyFile,
      refreshIntervalMs: 20,
    });
    const own = await startGrpcServer(
      grpc.experimental.createCertificateProviderServerCredentials(provider, null, false),
    );
    const credentials = createServerCredentials(server.secrets, (s) => s.reveal('pair'));
    const ours = await startGrpcServer(credentials);
    const trust = grpc.credentials.createSsl(Buffer.from(authority.cert));
    const call = async (to: typeof ours) => {
      const client = openGrpcClient(to, trust);
      try {
        return await client.serial();
      } finally {
        client.close();
      }
    };
    await waitFor(async () => (await call(own)) === 'none');

    const next = await authority.issue();
    server.source.set({ 'tls.crt': next.chain });
    await server.secrets.refresh();
    await writeFile(certificateFile, next.chain);
    await waitFor(async () => (await call(own).catch(({ code }) => code)) === grpc.status.UNAVAILABLE);
    expect(await call(ours)).toBe('none');
    server.source.set({ 'tls.crt': undefined as never });
    await server.secrets.refresh();
    await rm(certificateFile);
    await waitFor(async () => (await call(own).catch(({ code }) => code)) === grpc.status.UNAVAILABLE);
    expect(await call(ours)).toBe('none');
  });
});
