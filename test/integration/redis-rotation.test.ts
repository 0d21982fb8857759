import { type CreateClientOptions, createClient, type HotClient } from 'hot-secrets/redis';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { hasServer } from '../support/debian-server';
import { startLoad } from '../support/load';
import { type RedisServer, startRedis } from '../support/redis';
import { type RedisHarness, RIGHTS, redisHarness } from '../support/redis-harness';
import { waitFor } from '../support/wait-for';

describe.runIf(hasServer('redis-server', 'redis-server'))('a rotation of a node-redis client', () => {
  let server: RedisServer;
  beforeAll(async () => {
    // Its default user is on, so that a command without a login succeeds and would be noticed.
    server = await startRedis({ open: true });
  });
  afterAll(() => server?.[Symbol.asyncDispose]());

  function clientOf(
    { secrets }: RedisHarness,
    options: CreateClientOptions = {},
    more: object = {},
  ): HotClient {
    const client = createClient(
      secrets,
      (s) => ({
        url: `redis://${server.host}:${server.port}`,
        username: s.reveal('user'),
        password: s.reveal('password'),
        ...more,
      }),
      { retryBaseMs: 50, ...options },
    );
    client.on('error', () => {});
    onTestFinished(() => client.destroy());
    return client;
  }

  /** Twenty workers, whose every command tells as whom it ran. */
  function work(client: HotClient, strangers: Set<string>, users: readonly string[]) {
    return startLoad(20, async () => {
      await client.incr('counter');
      const [, name] = (await Promise.all([client.get('counter'), client.aclWhoAmI()])) as string[];
      if (!users.includes(name as string)) strangers.add(String(name));
    });
  }

  for (const RESP of [2, 3]) {
    it(`moves the open connection of RESP${RESP} to another user, without a failed command`, async () => {
      const harness = await redisHarness(server);
      const client = clientOf(harness, {}, { RESP });
      await client.connect();
      const strangers = new Set<string>();
      const names = [harness.user, 'second', 'third', 'fourth'];
      const load = work(client, strangers, names);
      for (const name of names.slice(1)) {
        await server.user(name, 'on', `>of-${name}`, ...RIGHTS);
        await harness.mount.rotate({ user: name, password: `of-${name}` });
        await waitFor(async () => (await client.aclWhoAmI()) === name, { what: `the session of ${name}` });
        await waitFor(() => client.rotation.staleCount === 0);
      }
      await server.command('acl', 'deluser', harness.user, 'second', 'third');
      await server.kill(harness.user);
      expect(await load.stop()).toMatchObject({ failures: [] });
      expect([...strangers]).toEqual([]);
      expect(client.rotation.generation).toBe(4);
      expect(await server.sessions('fourth')).toBe(1);
    });
  }

  it('waits for a password that reaches the file two seconds after the server, while its sessions are killed', async () => {
    const harness = await redisHarness(server);
    const client = clientOf(harness, { resend: 'all' });
    await client.connect();
    const strangers = new Set<string>();
    const load = work(client, strangers, [harness.user]);
    for (const password of ['second', 'third', 'fourth']) {
      await server.user(harness.user, 'resetpass', `>${password}`);
      await server.kill(harness.user);
      await new Promise((resolve) => setTimeout(resolve, 2_000));
      const before = load.done;
      await harness.mount.rotate({ password });
      await waitFor(() => load.done > before + 100);
    }
    expect(await load.stop()).toMatchObject({ failures: [] });
    expect([...strangers]).toEqual([]);
  });
});
