import { connect } from 'node:net';
import { createServer, type TLSSocket } from 'node:tls';
import { inspect } from 'node:util';
import { memory, SecretStore, secret } from 'hot-secrets';
import { createRedis } from 'hot-secrets/ioredis';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createAuthority } from '../support/certificates';
import { hasServer } from '../support/debian-server';
import { startRedis } from '../support/redis';
import { RIGHTS } from '../support/redis-harness';
import { waitFor } from '../support/wait-for';

describe.runIf(hasServer('redis-server', 'redis-server'))('a client of ioredis with TLS', () => {
  it('presents the newest certificate at each new connection, also in a duplicate', async () => {
    const redisServer = await startRedis();
    onTestFinished(() => redisServer[Symbol.asyncDispose]());
    await redisServer.user('app', 'on', '>first', ...RIGHTS);
    const authority = await createAuthority();
    const own = await authority.issue();
    const seen: string[] = [];
    const front = createServer({ ...own, ca: authority.cert, requestCert: true }, (socket: TLSSocket) => {
      seen.push(socket.getPeerCertificate().serialNumber.toLowerCase());
      const behind = connect(redisServer.port, redisServer.host);
      for (const one of [socket, behind]) one.on('error', () => {});
      socket.pipe(behind).pipe(socket);
    }).listen(0, '127.0.0.1');
    onTestFinished(() => void front.close());
    await waitFor(() => front.listening);
    const { port } = front.address() as { port: number };
    const pairs = [];
    for (let round = 0; round < 4; round += 1) pairs.push(await authority.issue());
    const source = memory({ password: 'first', cert: pairs[0]?.cert ?? '', key: pairs[0]?.key ?? '' });
    const secrets = await SecretStore.open({
      secrets: { password: 'password', pair: secret.tls({ cert: 'cert', key: 'key' }) },
      sources: [source],
    });
    onTestFinished(() => secrets.close());
    const redis = createRedis(
      secrets,
      (s) => ({
        host: '127.0.0.1',
        port,
        username: 'app',
        password: s.reveal('password'),
        tls: { ...s.reveal('pair'), ca: authority.cert, servername: 'localhost' },
      }),
      { retryBaseMs: 50 },
    );
    onTestFinished(() => redis.disconnect());
    redis.on('error', () => {});
    await redis.ping();
    const serials = [new Set(seen)];
    for (const pair of pairs.slice(1)) {
      source.set({ cert: pair.cert, key: pair.key });
      await secrets.refresh();
      const { generation } = secrets.snapshot();
      await waitFor(() => redis.rotation.generation === generation, { what: 'the rotation' });
      seen.length = 0;
      redis.disconnect(true);
      const copy = redis.duplicate();
      expect([await redis.ping(), await copy.ping()]).toEqual(['PONG', 'PONG']);
      copy.disconnect();
      serials.push(new Set(seen));
    }
    expect(serials.map(({ size }) => size)).toEqual([1, 1, 1, 1]);
    expect(new Set(serials.flatMap((one) => [...one])).size).toBe(4);
    expect(inspect(redis.options, { depth: 5 })).not.toContain('PRIVATE KEY');
  });
});
