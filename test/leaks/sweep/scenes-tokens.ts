import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SecretStore, type Source } from 'hot-secrets';
import { createRedis } from 'hot-secrets/ioredis';
import { createPool } from 'hot-secrets/pg';
import { entraToken, rdsToken, token } from 'hot-secrets/tokens';
import type { Outputs } from './outputs';
import { listeners, withStore } from './stage';
import { marks } from './values';

const { value } = marks.text;
const next = marks.nextText.value;
const QUICK = { startTimeoutMs: 150, requestTimeoutMs: 60, retryBaseMs: 5, retryMaxMs: 20 };
const pause = (durationMs: number) => new Promise((resolve) => setTimeout(resolve, durationMs));

type Fetch = () => unknown;
const refuse = () =>
  Promise.reject(Object.assign(new Error(`refused: ${value}`), { status: 401, cause: value, code: value }));

/** What an issuer does, for the first request and for later ones. */
const ISSUERS: Readonly<Record<string, Fetch>> = {
  'issues tokens': () => ({ token: next, expiresInMs: 3_600_000 }),
  'issues tokens that soon expire': () => ({ token: next, expiresInMs: 80 }),
  'refuses with the value': refuse,
  'throws text': () => Promise.reject(value),
  'throws an object': () => Promise.reject({ message: value, stack: value, status: value }),
  hangs: () => new Promise(() => {}),
  'returns text': () => value,
  'returns no end': () => ({ token: value }),
  'returns an expired token': () => ({ token: value, expiresAt: new Date(0) }),
  'returns the value as the end': () => ({ token: value, expiresAt: value }),
  'returns a list as the token': () => ({ token: [value], expiresInMs: 1_000 }),
};

async function issuers(outputs: Outputs): Promise<void> {
  for (const [what, then] of Object.entries(ISSUERS)) {
    for (const fromStart of [true, false]) {
      outputs.scene(`an issuer that ${what}${fromStart ? '' : ' after a good token'}`);
      let calls = 0;
      const fetch = () => {
        calls += 1;
        return fromStart || calls > 1 ? then() : { token: value, expiresInMs: 100 };
      };
      const source = token('one', { ...QUICK, fetch: fetch as never });
      outputs.show('source', source);
      await withStore(outputs, { secrets: { one: 'one' }, sources: [source] }, async (store) => {
        await pause(180);
        await store.refresh().catch((error: unknown) => outputs.error('error of refresh()', error));
        outputs.show('attributes', store.get('one').attributes);
        const known = [...(fromStart ? [] : [value]), ...(what.startsWith('issues') ? [next] : [])];
        outputs.text('redacted', store.redact(`before ${known.join(' between ')} after`));
      });
    }
  }
}

/** Tokens that a server of PostgreSQL or Redis refuses. */
async function refused(outputs: Outputs): Promise<void> {
  outputs.scene('a token that a server refuses');
  const server = createServer().listen(0, '127.0.0.1');
  server.removeAllListeners('connection');
  server.on('connection', (socket) => {
    socket.on('error', () => {});
    socket.on('data', (data: Buffer) => {
      if (data[0] === '*'.charCodeAt(0))
        socket.write('-WRONGPASS invalid username-password pair\r\n'.repeat(3));
      else {
        const fields = 'SFATAL\0C28P01\0Mpassword authentication failed for user "app"\0\0';
        const head = Buffer.from('E\0\0\0\0');
        head.writeInt32BE(Buffer.byteLength(fields) + 4, 1);
        socket.end(Buffer.concat([head, Buffer.from(fields)]));
      }
    });
  });
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  let calls = 0;
  const source = token('one', {
    ...QUICK,
    fetch: () => {
      calls += 1;
      return { token: calls % 2 === 1 ? value : next, expiresInMs: 200 };
    },
  });
  const store = await SecretStore.open({
    secrets: { one: 'one' },
    sources: [source],
    on: listeners(outputs) as never,
  });
  const options = { verifyTimeoutMs: 100, authFailureWaitMs: 50, retryBaseMs: 5, retryMaxMs: 20 };
  const pool = createPool(
    store,
    (s) => ({ host: '127.0.0.1', port, user: 'app', password: s.reveal('one') }),
    options,
  );
  const redis = createRedis(
    store,
    (s) => ({ port, username: 'app', password: s.reveal('one'), protocol: 2 }),
    options,
  );
  redis.on('error', (error: unknown) => outputs.error('error event of ioredis', error));
  for (let round = 0; round < 2; round += 1) {
    await pool.query('select 1').catch((error: unknown) => outputs.error('error of query()', error));
    await redis.get('a').catch((error: unknown) => outputs.error('error of get()', error));
    outputs.showClient('pool', pool);
    outputs.showClient('client of ioredis', redis);
    outputs.show('report()', store.report());
    outputs.show('health()', store.health());
    await pause(200);
  }
  await pool.end();
  redis.disconnect();
  await store.close();
  server.close();
}

/** Modules of others that put what they have into their errors. */
async function modules(outputs: Outputs): Promise<void> {
  const scope = 'https://ossrdbms-aad.database.windows.net/.default';
  class Signer {
    getAuthToken() {
      return refuse();
    }
  }
  const rds = { hostname: 'db', port: 5432, username: 'app', region: 'eu-west-1', ...QUICK };
  const sources: Readonly<Record<string, () => Source>> = {
    'a credential that refuses': () =>
      entraToken('one', { scope, credential: { getToken: refuse }, ...QUICK }),
    'a credential that returns no token': () =>
      entraToken('one', { scope, credential: { getToken: async () => value as never }, ...QUICK }),
    'a credential that returns null': () =>
      entraToken('one', { scope, credential: { getToken: async () => null as never }, ...QUICK }),
    'a signer that refuses': () => rdsToken('one', { ...rds, rdsSigner: { Signer } }),
    'a signer that returns no token': () =>
      rdsToken('one', {
        ...rds,
        rdsSigner: {
          Signer: class {
            getAuthToken = async () => value;
          },
        },
      }),
    'the value as its options': () => token('one', value as never),
    'the value as its host': () => rdsToken('one', { ...rds, hostname: value }),
    'the value as its module': () => rdsToken('one', { ...rds, rdsSigner: value as never }),
  };
  for (const [what, make] of Object.entries(sources)) {
    outputs.scene(`a source of tokens with ${what}`);
    let source: Source;
    try {
      source = make();
    } catch (error) {
      outputs.error('error of the function', error);
      continue;
    }
    outputs.show('source', source);
    await withStore(outputs, { secrets: { one: 'one' }, sources: [source] });
  }
}

/** Sources of tokens whose issuer, server or module misbehaves. */
export async function tokenScenes(outputs: Outputs): Promise<void> {
  await issuers(outputs);
  await refused(outputs);
  await modules(outputs);
}
