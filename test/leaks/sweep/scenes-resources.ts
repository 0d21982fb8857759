import { once } from 'node:events';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { createServer, type Server } from 'node:net';
import * as grpc from '@grpc/grpc-js';
import { memory, type Rotating, rotating, type SecretReader, type SecretStore, secret } from 'hot-secrets';
import { bearer } from 'hot-secrets/bearer';
import { createCallCredentials, createChannelCredentials, createServerCredentials } from 'hot-secrets/grpc';
import { createAgent } from 'hot-secrets/https';
import { forFastifyCookie, forFastifyJwt, forWebhooks, keyList, keyring } from 'hot-secrets/keyring';
import { createPool } from 'hot-secrets/pg';
import { attachSecureContext, createServerNames } from 'hot-secrets/tls';
import { createDispatcher } from 'hot-secrets/undici';
import type { Outputs } from './outputs';
import { withStore } from './stage';
import { connectionString, marks, pairs } from './values';

const { first, second } = pairs;
export const text = marks.text.value;
const nextText = marks.nextText.value;

const QUICK = {
  retryBaseMs: 5,
  retryMaxMs: 20,
  readyTimeoutMs: 100,
  verifyTimeoutMs: 50,
  drainTimeoutMs: 50,
};
export const values = (value: string, { cert, key } = first) => ({
  one: value,
  connection: connectionString,
  cert,
  key,
});
export const secrets = {
  one: secret.text('one', { keepPreviousMs: 60_000 }),
  connection: secret.text('connection'),
  pair: secret.tls({ cert: 'cert', key: 'key' }),
};
type Reader = SecretReader<{ one: string; connection: string }>;
type Events = Pick<Rotating<unknown>, 'on'>;

/** Listens to every event of a resource. */
function showEvents(outputs: Outputs, resource: Events, more: readonly string[] = []): void {
  for (const event of ['swapped', 'rejected', 'drained', 'error', ...more])
    resource.on(event as 'rejected', (payload: unknown) => {
      outputs.show(`event ${event}`, payload);
      const error = payload instanceof Error ? payload : (payload as { error?: unknown }).error;
      if (error !== undefined) outputs.error(`error of ${event}`, error);
    });
}

export function attempt(outputs: Outputs, name: string, work: () => unknown): void {
  try {
    outputs.show(name, work());
  } catch (error) {
    outputs.error(`error of ${name}`, error);
  }
}

const refuse = (value: unknown): never => {
  throw Object.assign(new Error(`refused: ${value}`), {
    value,
    cause: new Error(`${value}`),
    code: `${value}`,
  });
};

async function rotations(outputs: Outputs): Promise<void> {
  type Steps = { [S in 'build' | 'verify' | 'drain' | 'dispose']?: (value: string) => unknown };
  const hang = () => new Promise(() => {});
  const kinds: Readonly<Record<string, Steps>> = {
    works: {},
    'fails to build': { build: refuse },
    'rejects in build': { build: async (value) => refuse(value) },
    'throws a text in build': {
      build: (value) => {
        throw value;
      },
    },
    'fails to verify': { verify: async (value) => refuse(value) },
    'rejects with an object in verify': {
      verify: (value) => Promise.reject({ message: value, stack: value }),
    },
    'hangs in verify': { verify: hang },
    'fails to drain': { drain: refuse },
    'hangs in drain': { drain: hang },
    'fails to dispose': { dispose: async (value) => refuse(value) },
  };
  for (const [name, { build, ...steps }] of Object.entries(kinds)) {
    for (const fromStart of [true, false]) {
      outputs.scene(`a resource that ${name}${fromStart ? '' : ' after a rotation'}`);
      const source = memory(values(text));
      const isDue = (value: string) => fromStart || value !== text;
      await withStore(
        outputs,
        { secrets, sources: [source] },
        async (store) => {
          const made = new WeakMap<object, string>();
          const run = (step?: (value: string) => unknown) => (resource: object) => {
            const value = made.get(resource) as string;
            return step !== undefined && isDue(value) ? step(value) : undefined;
          };
          const resource = rotating(
            store,
            {
              async build(s) {
                const value = s.reveal('one');
                if (build !== undefined && isDue(value)) await build(value);
                const one = {};
                made.set(one, value);
                return one;
              },
              verify: run(steps.verify),
              drain: run(steps.drain),
              dispose: run(steps.dispose),
            },
            { name: 'thing', ...QUICK },
          );
          showEvents(outputs, resource);
          await resource.ready.catch((error) => outputs.error('error of ready', error));
          attempt(outputs, 'current', () => resource.current);
          outputs.show('resource', resource);
          for (const value of [nextText, text]) {
            source.set({ one: value });
            await store.refresh();
            await resource.use((used) => used).catch((error) => outputs.error('error of use()', error));
            await new Promise((resolve) => setTimeout(resolve, 60));
          }
          outputs.show('resource', resource);
          await resource.close();
          attempt(outputs, 'current of a closed resource', () => resource.current);
        },
        { brief: true },
      );
    }
  }
}

/** Recipes that fail in every way, for one adapter. */
const recipes = (good: (s: Reader) => object): Readonly<Record<string, (s: Reader) => unknown>> => ({
  works: good,
  'throws its value': (s) => refuse(s.reveal('one')),
  'throws a text': (s) => {
    throw s.reveal('one');
  },
  'returns its value': (s) => s.reveal('one'),
  'is asynchronous': async (s) => refuse(s.reveal('one')),
  'reads nothing': () => ({ password: text }),
});

async function adapters(outputs: Outputs, server: Server): Promise<void> {
  const { port } = server.address() as AddressInfo;
  const host = '127.0.0.1';
  const pair = (s: Reader) => (s as unknown as { reveal(name: 'pair'): object }).reveal('pair');
  const pools = {
    ...recipes((s) => ({ host, port, user: 'app', password: s.reveal('one') })),
    'has a connection string': (s: Reader) => ({ connectionString: s.reveal('connection') }),
    'has a malformed connection string': (s: Reader) => ({
      connectionString: `postgres://app:${s.reveal('one')}@[x:y/z`,
    }),
    'has a connection string that is no URL': (s: Reader) => ({ connectionString: s.reveal('one') }),
    'has an unknown host': (s: Reader) => ({ host: 'unknown.invalid', password: s.reveal('one') }),
    'has a key of another pair': (s: Reader) => ({
      host,
      port,
      password: s.reveal('one'),
      ssl: { cert: first.cert, key: second.key },
    }),
    'has a password of the wrong type': (s: Reader) => ({ host, port, password: { value: s.reveal('one') } }),
  };
  const contexts = {
    ...recipes(pair),
    'has a key of another pair': (s: Reader) => ({ ...pair(s), key: second.key }),
    'has a key that is text': (s: Reader) => ({ ...pair(s), key: s.reveal('one') }),
    'has a certificate that is text': (s: Reader) => ({ ...pair(s), cert: s.reveal('one') }),
    'has a wrong passphrase': (s: Reader) => ({
      ...pair(s),
      key: pairs.encrypted,
      passphrase: marks.badPassphrase.value,
    }),
    'has the passphrase of its key': (s: Reader) => ({
      ...pair(s),
      key: pairs.encrypted,
      passphrase: marks.passphrase.value,
    }),
    'has unknown ciphers': (s: Reader) => ({ ...pair(s), ciphers: s.reveal('one') }),
  };
  const withConnect = ([name, recipe]: [string, (s: Reader) => unknown]) =>
    [
      name,
      (s: Reader) => {
        const connect = recipe(s);
        return connect instanceof Promise ? connect : { connect };
      },
    ] as const;

  const each = async <R extends (s: Reader) => unknown>(
    kind: string,
    all: Readonly<Record<string, R>>,
    work: (store: SecretStore<never>, recipe: never, refresh: () => Promise<void>) => Promise<void>,
  ) => {
    for (const [name, recipe] of Object.entries(all)) {
      for (const fromStart of [true, false]) {
        outputs.scene(`${kind} whose recipe ${name}${fromStart ? '' : ' after a rotation'}`);
        const source = memory(values(text));
        let isDue = fromStart;
        await withStore(
          outputs,
          { secrets, sources: [source] },
          async (store) => {
            const good = Object.values(all)[0] as R;
            const chosen = (s: Reader) => (isDue ? recipe(s) : good(s));
            const refresh = async () => {
              isDue = true;
              source.set(values(nextText, second));
              await store.refresh();
              await new Promise((resolve) => setTimeout(resolve, 10));
            };
            try {
              await work(store as never, chosen as never, refresh);
            } catch (error) {
              outputs.error(`error of ${kind}`, error);
            }
          },
          { brief: true },
        );
      }
    }
  };

  await each('a pool', pools, async (store, recipe, refresh) => {
    const pool = createPool(store, recipe, { name: 'db', ...{ verifyTimeoutMs: 200 } });
    showEvents(outputs, pool.rotation as never, ['refused', 'accepted']);
    pool.on('error', (error) => outputs.error('error event of the pool', error));
    const use = async () => {
      const connecting = pool.connect().catch((error) => outputs.error('error of connect()', error));
      outputs.showClient('pool', pool);
      for (const client of (pool as unknown as { _clients: object[] })._clients.slice(0, 1))
        outputs.showClient('client of a pool', client);
      await Promise.race([connecting, new Promise((resolve) => setTimeout(resolve, 50))]);
      await Promise.race([
        pool.query('select 1').catch((error: unknown) => outputs.error('error of query()', error)),
        new Promise((resolve) => setTimeout(resolve, 50)),
      ]);
    };
    await use();
    await refresh();
    await use();
    outputs.showClient('options of a pool', pool.options);
    await pool.end();
    await pool.query('select 1').catch((error: unknown) => outputs.error('error of an ended pool', error));
  });
  await each('an agent', contexts, async (store, recipe, refresh) => {
    const agent = createAgent(store, recipe, { name: 'api' });
    showEvents(outputs, agent.rotation as never);
    outputs.showClient('agent', agent);
    const { request } = await import('node:https');
    const ask = () =>
      new Promise<void>((resolve) => {
        const asked = request({ host, port, agent, path: '/' }, () => resolve());
        asked.on('error', (error) => {
          outputs.error('error of a request', error);
          resolve();
        });
        outputs.showClient('request', asked);
        asked.end();
      });
    await ask();
    await refresh();
    await ask();
    outputs.showClient('agent', agent);
    agent.destroy();
    await ask();
  });
  await each(
    'a dispatcher',
    Object.fromEntries(Object.entries(contexts).map(withConnect)),
    async (store, recipe, refresh) => {
      const dispatcher = createDispatcher(store, recipe, { name: 'api' });
      showEvents(outputs, (dispatcher as unknown as { rotation: Events }).rotation);
      const ask = () =>
        dispatcher
          .request({ origin: `https://${host}:${port}`, path: '/', method: 'GET' })
          .catch((error: unknown) => outputs.error('error of a request', error));
      await ask();
      await refresh();
      await ask();
      outputs.showClient('dispatcher', dispatcher);
      await dispatcher.close();
      await ask();
    },
  );
  await each('a gRPC server and channel', contexts, async (store, recipe, refresh) => {
    const credentials = createServerCredentials(store, recipe, { name: 'grpc' });
    showEvents(outputs, credentials.rotation as never);
    const started = new grpc.Server();
    const bound = await new Promise<number>((resolve) =>
      started.bindAsync('127.0.0.1:0', credentials, (error, free) => {
        if (error) outputs.error('error of bindAsync', error);
        resolve(free);
      }),
    );
    const channel = createChannelCredentials(store, recipe, { name: 'grpc' });
    showEvents(outputs, channel.rotation as never);
    const client = new grpc.Client(`localhost:${bound}`, channel);
    const ask = () =>
      new Promise<void>((resolve) =>
        client.makeUnaryRequest('/a/b', Buffer.from, String, 'a', { deadline: Date.now() + 100 }, (error) => {
          if (error) outputs.error('error of a call', error);
          resolve();
        }),
      );
    await ask();
    await refresh();
    await ask();
    outputs.showClient('credentials of a server', credentials);
    outputs.showClient('credentials of a channel', channel);
    outputs.showClient('client of gRPC', client);
    client.close();
    started.forceShutdown();
  });
  const texts = recipes((s) => ({ authorization: `Bearer ${s.reveal('one').replace(/[^ -~]/g, '')}` }));
  const credentials = {
    ...texts,
    'is a box': (s: Reader) => (s as unknown as { get(name: 'one'): object }).get('one'),
    'has a line break': (s: Reader) => ({ 'x-api-key': `${s.reveal('one')}\n${s.reveal('one')}` }),
    'has its value as a name': (s: Reader) => ({ [`${s.reveal('one')} `]: s.reveal('one') }),
    'is no Latin text': (s: Reader) => `→${s.reveal('one')}`,
  };
  await each('a token', credentials, async (store, recipe, refresh) => {
    const api = bearer(store, recipe, { name: 'api', authFailureWaitMs: 10 });
    showEvents(outputs, api.rotation as never, ['refused', 'accepted']);
    const call = createCallCredentials(store, recipe);
    showEvents(outputs, call.rotation as never);
    const refused = bearer(store, recipe, {
      authFailureWaitMs: 10,
      fetch: async () => new Response(null, { status: 401 }),
    });
    showEvents(outputs, refused.rotation as never, ['refused', 'accepted']);
    const ask = async () => {
      await api.fetch(`http://${host}:${port}/`).catch((error) => outputs.error('error of fetch()', error));
      outputs.show('refused response', await refused.fetch('http://api.test/'));
    };
    await ask();
    await refresh();
    await ask();
    outputs.show('bearer', { ...api, revealHeaders: undefined });
    outputs.showClient('credentials of a call', call);
  });
  await each('a server', contexts, async (store, recipe, refresh) => {
    const tls = createHttpsServer(() => {});
    const names = createServerNames(store, { 'api.test': recipe });
    showEvents(outputs, names as never);
    const context = attachSecureContext(tls, store, recipe, { names, name: 'web' });
    showEvents(outputs, context as never);
    outputs.showClient('server', tls);
    await refresh();
    outputs.show('names', names);
    outputs.showClient('server', tls);
    outputs.show('attached context', context);
    await context.close();
  });
}

async function keyrings(outputs: Outputs): Promise<void> {
  outputs.scene('a keyring');
  const source = memory(values(text));
  await withStore(outputs, { secrets, sources: [source] }, async (store) => {
    const keys = keyring(store, 'one', { signAfterMs: 5, verifyForMs: 60_000 });
    const show = () => {
      outputs.show('keyring', keys);
      outputs.show('keys', keys.verifying);
      outputs.show('report', keys.report());
      outputs.show('list', [...keyList(keys)].map(String));
      for (const form of [forFastifyCookie, forFastifyJwt, forWebhooks]) outputs.show('form', form(keys));
    };
    show();
    for (const value of [nextText, marks.key.value, '-----BEGIN PRIVATE KEY-----']) {
      source.set({ one: value });
      await store.refresh();
      await new Promise((resolve) => setTimeout(resolve, 10));
      show();
    }
    keys.close();
    attempt(outputs, 'keyring of a certificate', () =>
      keyring(store, 'connection', { algorithm: text as never }),
    );
  });
}

/** Resources and adapters. */
export async function resourceScenes(outputs: Outputs): Promise<void> {
  // It hangs up, so that every connection fails.
  const server = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    await rotations(outputs);
    await adapters(outputs, server);
    await keyrings(outputs);
  } finally {
    server.close();
  }
}
