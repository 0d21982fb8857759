import { inspect } from 'node:util';
import axios from 'axios';
import got from 'got';
import { memory, SecretStore, type SecretsError } from 'hot-secrets';
import { bearer, type CredentialsRecipe } from 'hot-secrets/bearer';
import * as undici from 'undici';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startApiServer } from '../support/api-server';
import { BAD_TOKEN, badCredentials, refusalOf } from '../support/bad-credentials';
import { waitFor } from '../support/wait-for';

async function openToken(token: string) {
  const source = memory({ token });
  const secrets = await SecretStore.open({ secrets: { token: 'token' }, sources: [source] });
  onTestFinished(() => secrets.close());
  secrets.on('error', () => {});
  const put = async (next: string) => {
    source.set({ token: next });
    await secrets.refresh();
  };
  return { secrets, put };
}

const token: CredentialsRecipe<{ readonly token: string }> = (s) => s.reveal('token');

describe('bearer with a wrong recipe or option', () => {
  it.each(badCredentials('HTTP credential'))(
    'refuses a recipe that returns $title, without the token',
    async ({ recipe, code, what }) => {
      const { secrets } = await openToken(BAD_TOKEN);
      const error = refusalOf(() => bearer(secrets, recipe as never));
      expect(error).toMatchObject({ code, what: expect.stringMatching(what) });
      expect(inspect(error)).not.toContain(BAD_TOKEN);
    },
  );

  it.each([
    [{ statuses: [] }, 'bearer: `statuses` must be a list of statuses from 400 to 599, not an array'],
    [{ statuses: [200] }, 'bearer: `statuses` must be a list of statuses from 400 to 599, not an array'],
    [{ fetch: 'fetch' }, 'bearer: `fetch` must be a function, not a string'],
    [{ authFailureWaitMs: -1 }, /^bearer: `authFailureWaitMs` must be a duration in milliseconds/],
    [{ authFailureWaitMs: Number.POSITIVE_INFINITY }, /^bearer: `authFailureWaitMs` must be a duration/],
  ])('refuses %o', async (options, what) => {
    const { secrets } = await openToken('key');
    expect(refusalOf(() => bearer(secrets, token, options as never))).toMatchObject({
      code: 'OPTION_INVALID',
      what: typeof what === 'string' ? what : expect.stringMatching(what),
    });
  });

  it('refuses an interceptor without an origin, and axios without an instance', async () => {
    const auth = bearer((await openToken('key')).secrets, token);
    for (const origin of [undefined, '', 'api.example.com', 'data:,']) {
      expect(refusalOf(() => auth.interceptor(origin as never))).toMatchObject({ code: 'OPTION_INVALID' });
    }
    for (const instance of [undefined, {}, fetch]) {
      expect(refusalOf(() => auth.axios(instance as never))).toMatchObject({
        code: 'OPTION_INVALID',
        next: 'Pass the result of axios.create().',
      });
    }
  });

  it('says that undici 6 is too old for the interceptor', async () => {
    const auth = bearer((await openToken('key')).secrets, token);
    const dispatch = auth.interceptor('http://localhost')((() => true) as (...args: never[]) => boolean);
    const options = { origin: 'http://localhost', path: '/', method: 'GET' };
    expect(
      refusalOf(() => dispatch(options as never, { onConnect() {}, onError() {} } as never)),
    ).toMatchObject({
      code: 'PEER_UNSUPPORTED',
      next: expect.stringContaining('npm install "undici@>=7"'),
    });
  });
});

describe('the headers of bearer', () => {
  it.each<[string, CredentialsRecipe<{ readonly token: string }>, Record<string, string>]>([
    ['a token', (s) => s.reveal('token'), { authorization: 'Bearer key-1' }],
    ['an API key', (s) => ({ 'X-Api-Key': s.reveal('token') }), { 'x-api-key': 'key-1' }],
    ['white space around a value', (s) => `\t${s.reveal('token')}\r\n`, { authorization: 'Bearer key-1' }],
    [
      'Basic',
      (s) => ({ authorization: `Basic ${Buffer.from(`app:${s.reveal('token')}`).toString('base64')}` }),
      { authorization: 'Basic YXBwOmtleS0x' },
    ],
    ['several', (s) => ({ 'x-id': 'app', 'X-Key': s.reveal('token') }), { 'x-id': 'app', 'x-key': 'key-1' }],
  ])('sends the headers that the recipe returns: %s', async (_title, recipe, headers) => {
    const { secrets } = await openToken('key-1');
    const auth = bearer(secrets, recipe);
    expect(auth.revealHeaders()).toEqual(headers);
    const api = await startApiServer();
    await auth.fetch(`${api.origin}/open`);
    expect(api.seen[0]?.headers).toMatchObject(headers);
  });

  it('keeps the last good credential while the recipe fails, says so once, and uses the next good one', async () => {
    const { secrets, put } = await openToken('key-1');
    const rejected: SecretsError[] = [];
    const auth = bearer(secrets, token, { name: 'orders API', retryBaseMs: 1 });
    auth.rotation.on('rejected', ({ error }) => rejected.push(error));
    await put('bad\nkey');
    await waitFor(() => rejected.length === 1);
    expect(auth.revealHeaders()).toEqual({ authorization: 'Bearer key-1' });
    await put('key-3');
    await waitFor(() => auth.rotation.generation === 3);
    expect(auth.revealHeaders()).toEqual({ authorization: 'Bearer key-3' });
    expect(rejected).toMatchObject([{ code: 'RECIPE_FAILED', resource: 'orders API' }]);
  });

  it('stops following the store when its rotation is closed, also twice, and keeps sending what it has', async () => {
    const { secrets, put } = await openToken('key-1');
    const api = await startApiServer('key-1');
    const auth = bearer(secrets, token);
    await Promise.all([auth.rotation.close(), auth.rotation.close()]);
    await put('key-2');
    expect((await auth.fetch(api.origin)).status).toBe(200);
    api.keys = [];
    expect((await auth.fetch(api.origin)).status).toBe(401);
  });

  it('prints no value', async () => {
    const { secrets } = await openToken(BAD_TOKEN);
    const auth = bearer(secrets, token);
    expect(inspect(auth, { depth: 9, showHidden: true })).not.toContain(BAD_TOKEN);
    expect(JSON.stringify(auth)).not.toContain(BAD_TOKEN);
  });
});

describe('a refused request', () => {
  async function refused(statuses?: readonly number[]) {
    const { secrets, put } = await openToken('key-1');
    const api = await startApiServer('key-2');
    const auth = bearer(secrets, token, statuses === undefined ? {} : { statuses });
    const renew = async () => {
      await waitFor(() => api.seen.length === 1);
      await put('key-2');
    };
    return { api, auth, renew };
  }

  it('sends a refused request of axios again, with the same data, parameters and headers', async () => {
    const { api, auth, renew } = await refused();
    const client = auth.axios(axios.create({ baseURL: api.origin, headers: { 'x-trace': '1' } }));
    const seen: unknown[] = [];
    client.interceptors.request.use((config) => {
      seen.push(config.method);
      return config;
    });
    const call = client.post('/orders', { id: 1 }, { params: { a: 'b' } });
    await renew();
    expect((await call).data).toBe('POST {"id":1}');
    expect(api.seen.map(({ body, path }) => [path, body])).toEqual(Array(2).fill(['/orders', '{"id":1}']));
    for (const { headers } of api.seen) {
      expect(headers).toMatchObject({ 'content-type': 'application/json', 'x-trace': '1' });
    }
    expect(seen).toEqual(['post', 'post']);
  });

  it('sends a FormData of axios again, and keeps the redirect check of a request', async () => {
    const { api, auth, renew } = await refused();
    const client = auth.axios(axios.create());
    const form = new FormData();
    form.set('a', 'form');
    const call = client.post(`${api.origin}/orders`, form);
    await renew();
    expect((await call).data).toMatch(/name="a"\r\n\r\nform\r\n/);
    const followed: unknown[] = [];
    await client.get(`${api.origin}/to?${encodeURIComponent('/orders')}`, {
      beforeRedirect: (options) => followed.push(options.path),
    });
    expect(followed).toEqual(['/orders']);
  });

  it('rejects with the error of axios and its response if no newer key comes', async () => {
    const { api, auth } = await refused();
    api.keys = [];
    const client = bearer((await openToken('key-1')).secrets, token, { authFailureWaitMs: 0 }).axios(
      axios.create(),
    );
    await expect(client.get(api.origin)).rejects.toMatchObject({
      name: 'AxiosError',
      response: { status: 401, data: 'refused by the server' },
    });
    // An error without a response stays what it is.
    await expect(auth.axios(axios.create()).get('http://127.0.0.1:1')).rejects.toMatchObject({
      code: 'ECONNREFUSED',
    });
  });

  it('sends the JSON of got again, and rejects with its HTTPError if no newer key comes', async () => {
    const { api, auth, renew } = await refused();
    const client = got.extend(auth.got);
    const call = client.post(`${api.origin}/orders`, { json: { id: 1 } }).text();
    await renew();
    expect(await call).toBe('POST {"id":1}');
    api.keys = [];
    const none = got.extend(bearer((await openToken('key-1')).secrets, token, { authFailureWaitMs: 0 }).got);
    await expect(none(api.origin)).rejects.toMatchObject({
      name: 'HTTPError',
      response: { statusCode: 401, body: 'refused by the server' },
    });
  });

  it('takes another status for a refusal if the option says so', async () => {
    const { api, auth, renew } = await refused([401, 403]);
    const fetch403 = (async (...args: Parameters<typeof fetch>) => {
      const response = await fetch(...args);
      return response.status === 401 ? new Response(null, { status: 403 }) : response;
    }) as typeof fetch;
    const call = auth.fetch(api.origin);
    await renew();
    expect((await call).status).toBe(200);
    const { secrets } = await openToken('key-1');
    const other = bearer(secrets, token, { fetch: fetch403, authFailureWaitMs: 0 });
    expect((await other.fetch(api.origin)).status).toBe(403);
    expect(api.seen).toHaveLength(3);
  });

  it('gives the caller of a dispatcher the whole refusal, however long it is', async () => {
    const { secrets } = await openToken('key-1');
    const long = 'x'.repeat(300_000);
    const { createServer } = await import('node:http');
    const server = createServer((_request, response) => response.writeHead(401).end(long)).listen(
      0,
      '127.0.0.1',
    );
    await waitFor(() => server.listening);
    onTestFinished(() => void server.close());
    const origin = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
    const auth = bearer(secrets, token, { authFailureWaitMs: 50 });
    const dispatcher = new undici.Agent().compose(auth.interceptor(origin));
    const { statusCode, body } = await undici.request(origin, { dispatcher });
    expect([statusCode, (await body.text()).length]).toEqual([401, 300_000]);
    await dispatcher.close();
  });

  it('sends nothing to other origins through a dispatcher, and the key through a Pool, which has one', async () => {
    const { secrets } = await openToken('key-1');
    const [api, other] = [await startApiServer('key-1'), await startApiServer('key-1')];
    const auth = bearer(secrets, token);
    const dispatcher = new undici.Agent().compose(auth.interceptor(api.origin));
    expect((await undici.request(api.origin, { dispatcher })).statusCode).toBe(200);
    expect((await undici.request(`${other.origin}/open`, { dispatcher })).statusCode).toBe(200);
    expect(other.seen[0]?.headers.authorization).toBeUndefined();
    const pool = new undici.Pool(api.origin).compose(auth.interceptor(api.origin));
    const { statusCode } = await pool.request({ path: '/', method: 'GET', headers: ['x-a', 'b'] });
    expect(statusCode).toBe(200);
    expect(api.seen.at(-1)?.headers).toMatchObject({ 'x-a': 'b', authorization: 'Bearer key-1' });
  });
});
