import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { memory, mountedFiles, SecretStore, type SecretsError } from 'hot-secrets';
import { type BearerOptions, bearer, type CredentialsRecipe } from 'hot-secrets/bearer';
import { createTestMount } from 'hot-secrets/testing';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { startApiServer } from '../support/api-server';
import { httpClients } from '../support/http-clients';
import { startLoad } from '../support/load';
import { waitFor } from '../support/wait-for';

const clients = Object.entries(httpClients);

/** For a machine that is busy with something else. */
const SLOW = { timeoutMs: 60_000 };

async function openKey(key: string) {
  const source = memory({ key });
  const errors: SecretsError[] = [];
  const secrets = await SecretStore.open({
    secrets: { key: 'key' },
    sources: [source],
    on: { error: (error) => errors.push(error) },
  });
  onTestFinished(() => secrets.close());
  const put = async (next: string) => {
    source.set({ key: next });
    await secrets.refresh();
  };
  return { secrets, put, source, errors };
}

type Values = { readonly key: string };

const token: CredentialsRecipe<Values> = (s) => s.reveal('key');
const apiKey: CredentialsRecipe<Values> = (s) => ({ 'X-Api-Key': s.reveal('key') });

async function start(recipe = token, options: BearerOptions = {}) {
  const api = await startApiServer('key-1');
  const opened = await openKey('key-1');
  const auth = bearer(opened.secrets, recipe, options);
  return { api, auth, ...opened };
}

describe.each(clients)('%s', { timeout: 180_000 }, (name, client) => {
  // fetch gives its dispatcher a stream, whatever the body was.
  const order = name === 'undici.fetch with a dispatcher' ? {} : { method: 'POST' as const, body: 'order' };
  const accepted = { status: 200, body: order.body === undefined ? 'GET ' : 'POST order' };

  it('fails no call of 20 workers while the server revokes the old key at once and the file follows late', async () => {
    const api = await startApiServer('key-1');
    const mount = await createTestMount({ key: 'key-1' });
    onTestFinished(() => mount.cleanup());
    const secrets = await SecretStore.open({ secrets: { key: 'key' }, sources: [mountedFiles(mount.path)] });
    onTestFinished(() => secrets.close());
    secrets.on('error', () => {});
    // The machine of the tests may be slow.
    const auth = bearer(secrets, token, { authFailureWaitMs: 30_000 });
    const send = client(auth, api.origin);
    const load = startLoad(20, async () => {
      expect(await send(`${api.origin}/orders`, order)).toEqual(accepted);
      await sleep(5);
    });
    for (let round = 2; round <= 4; round += 1) {
      const reached = load.done + 50;
      await waitFor(() => load.done > reached, SLOW);
      const next = `key-${round}`;
      // Once the file is first, and the server accepts both.
      if (round === 3) api.keys = ['key-2', next];
      else api.keys = [next];
      if (round !== 3) await sleep(300);
      await mount.rotate({ key: next });
      await waitFor(() => auth.rotation.generation === round);
      api.keys = [next];
    }
    const reached = load.done + 50;
    await waitFor(() => load.done > reached, SLOW);
    expect((await load.stop()).failures).toEqual([]);
    expect(api.seen.at(-1)?.headers.authorization).toBe('Bearer key-4');
  });

  it('sends a refused request again as soon as the newer key is there, and shares one refresh', async () => {
    const { api, auth, secrets, put } = await start();
    const refresh = vi.spyOn(secrets, 'refresh');
    const send = client(auth, api.origin);
    api.keys = ['key-2'];
    const startedAt = performance.now();
    const calls = Array.from({ length: 20 }, () => send(api.origin, order));
    await waitFor(() => api.seen.length === 20);
    // One at once, and one again after each pause.
    const pauses = Math.ceil((performance.now() - startedAt) / 250);
    expect(refresh.mock.calls.length).toBeLessThanOrEqual(Math.min(1 + pauses, 10));
    expect(refresh).toHaveBeenCalledWith({ trigger: 'auth-failure' });
    await put('key-2');
    expect(await Promise.all(calls)).toEqual(Array(20).fill(accepted));
    expect(api.seen).toHaveLength(40);
  });

  it('returns the refusal with its body when no newer key comes within the bound, and then does not wait again', async () => {
    const { api, auth, errors } = await start(apiKey, { authFailureWaitMs: 700 });
    const send = client(auth, api.origin);
    api.keys = [];
    const refusal = { status: 401, body: 'refused by the server' };
    expect(await Promise.all([send(api.origin), send(api.origin)])).toEqual([refusal, refusal]);
    expect(api.seen).toHaveLength(2);
    const before = performance.now();
    expect(await send(api.origin)).toEqual(refusal);
    expect(performance.now() - before).toBeLessThan(700);
    expect(errors).toMatchObject([{ code: 'CREDENTIAL_REFUSED', resource: 'HTTP credential' }]);
    api.keys = ['key-1'];
    const event = new Promise((resolve) => auth.rotation.once('accepted', resolve));
    expect(await send(api.origin)).toMatchObject({ status: 200 });
    expect(await event).toMatchObject({ generation: 1 });
  });

  it('does not send a request again with the key that was refused, although another generation came', async () => {
    const { api, auth, put } = await start(token, { authFailureWaitMs: 300 });
    const send = client(auth, api.origin);
    api.keys = [];
    const call = send(api.origin);
    await waitFor(() => api.seen.length === 1);
    await put('key-1\n');
    expect(await call).toMatchObject({ status: 401 });
    expect(api.seen).toHaveLength(1);
  });

  it('returns the refusal of a request whose body was a stream, after one attempt', async () => {
    const { api, auth, secrets, put } = await start();
    const refresh = vi.spyOn(secrets, 'refresh');
    const send = client(auth, api.origin);
    api.keys = ['key-2'];
    const body = () => Readable.from([Buffer.from('str'), Buffer.from('eam')]);
    expect(await send(api.origin, { method: 'POST', body: body() })).toMatchObject({ status: 401 });
    expect(api.seen).toHaveLength(1);
    expect(refresh).toHaveBeenCalledTimes(1);
    await put('key-2');
    await waitFor(() => auth.rotation.generation === 2);
    expect(await send(api.origin, { method: 'POST', body: body() })).toEqual({
      status: 200,
      body: 'POST stream',
    });
  });

  it.each([
    ['a token', token],
    ['an API key', apiKey],
  ])('sends %s along a redirect to the same origin, and never to another one', async (_title, recipe) => {
    const { api, auth, errors } = await start(recipe);
    const other = await startApiServer();
    const send = client(auth, api.origin);
    const path = `${api.origin}/orders`;
    const to = (url: string) => send(`${api.origin}/to?${encodeURIComponent(url)}`).catch(() => undefined);
    const same = await to(path);
    const followed = api.seen.some((one) => one.path === '/orders');
    if (followed) expect(same).toEqual({ status: 200, body: 'GET ' });
    await to(`${other.origin}/open`);
    // And back again, from a server that may not learn the key.
    await to(`${other.origin}/open?${encodeURIComponent(path)}`);
    for (const { headers } of other.seen) {
      expect(headers.authorization).toBeUndefined();
      expect(headers['x-api-key']).toBeUndefined();
    }
    const refused = await to(`${other.origin}/orders`);
    if (other.seen.some((one) => one.path === '/orders')) {
      // The refusal of a server that got no key says nothing about the key.
      expect(refused).toMatchObject({ status: 401 });
    }
    // axios does not tell where its adapter for fetch was led to.
    if (name !== 'axios on fetch') expect(errors).toEqual([]);
  });
});

describe('the fetch of bearer', () => {
  it.each<[string, () => unknown, string | RegExp]>([
    ['a string', () => 'text', 'POST text'],
    ['a Buffer', () => Buffer.from('bytes'), 'POST bytes'],
    ['an ArrayBuffer', () => new TextEncoder().encode('array').buffer, 'POST array'],
    ['URLSearchParams', () => new URLSearchParams({ a: 'b' }), 'POST a=b'],
    ['a Blob', () => new Blob(['blob']), 'POST blob'],
    [
      'a FormData',
      () => {
        const form = new FormData();
        form.set('a', 'form');
        return form;
      },
      /^POST .*name="a"\r\n\r\nform\r\n/s,
    ],
    [
      'a function that makes streams',
      () => () => Readable.toWeb(Readable.from([Buffer.from('made')])),
      'POST made',
    ],
  ])('sends %s again', async (_title, body, expected) => {
    const { api, auth, put } = await start();
    api.keys = ['key-2'];
    const call = auth.fetch(api.origin, { method: 'POST', body: body() as never, duplex: 'half' } as never);
    await waitFor(() => api.seen.length === 1);
    await put('key-2');
    const answer = await (await call).text();
    if (typeof expected === 'string') expect(answer).toBe(expected);
    else expect(answer).toMatch(expected);
  });

  it.each(['key-1', 'key-2'])('takes a Request, and replaces the header of its caller (%s)', async (key) => {
    const { api, auth, put } = await start();
    api.keys = [key];
    const request = new Request(`${api.origin}/orders`, {
      headers: { Authorization: 'Bearer other', 'x-trace': '1' },
    });
    const call = auth.fetch(request);
    await waitFor(() => api.seen.length === 1);
    await put(key);
    expect(await (await call).text()).toBe('GET ');
    expect(api.seen.at(-1)?.headers).toMatchObject({ authorization: `Bearer ${key}`, 'x-trace': '1' });
  });

  it.each([
    ['a token', token],
    ['an API key', apiKey],
  ])('sends %s with a Request that has a body, which is a stream', async (_title, recipe) => {
    const { api, auth } = await start(recipe);
    const request = () => new Request(`${api.origin}/orders`, { method: 'POST', body: 'order' });
    expect(await (await auth.fetch(request())).text()).toBe('POST order');
    api.keys = ['key-2'];
    expect((await auth.fetch(request())).status).toBe(401);
    expect(api.seen).toHaveLength(2);
  });

  it('waits no longer than the signal of its caller, and rejects with its reason', async () => {
    const { api, auth } = await start(token, { authFailureWaitMs: 60_000 });
    api.keys = [];
    const controller = new AbortController();
    const call = auth.fetch(api.origin, { signal: controller.signal });
    await waitFor(() => api.seen.length === 1);
    const reason = new Error('enough');
    await sleep(20);
    controller.abort(reason);
    await expect(call).rejects.toBe(reason);
  });

  it('ends the wait when the store closes', async () => {
    const { api, auth, secrets } = await start(token, { authFailureWaitMs: 60_000 });
    api.keys = [];
    const call = auth.fetch(api.origin);
    await waitFor(() => api.seen.length === 1);
    await sleep(20);
    await secrets.close();
    expect((await call).status).toBe(401);
    expect((await auth.fetch(api.origin)).status).toBe(401);
  });

  it('tries a second newer key if the first one was wrong', async () => {
    const { api, auth, put } = await start();
    api.keys = ['key-3'];
    const call = auth.fetch(api.origin);
    await waitFor(() => api.seen.length === 1);
    await put('key-2');
    await waitFor(() => api.seen.length === 2);
    await put('key-3');
    expect((await call).status).toBe(200);
    expect(api.seen).toHaveLength(3);
  });

  it.each([
    [301, 'POST', 'GET '],
    [302, 'POST', 'GET '],
    [303, 'POST', 'GET '],
    [307, 'POST', 'POST order'],
    [308, 'POST', 'POST order'],
  ])(
    'follows a redirect with status %i as fetch does, for an API key too',
    async (status, method, expected) => {
      const { api, auth } = await start(apiKey);
      const url = `${api.origin}/to/${status}?${encodeURIComponent('/orders')}`;
      const [ours, bare] = [
        await auth.fetch(url, { method, body: 'order' }),
        await fetch(url, { method, body: 'order', headers: { 'x-api-key': 'key-1' } }),
      ];
      for (const { redirected, url: final } of [ours, bare]) {
        expect({ redirected, final }).toEqual({ redirected: true, final: `${api.origin}/orders` });
      }
      expect([await ours.text(), await bare.text()]).toEqual([expected, expected]);
      expect((await auth.fetch(url, { method, body: 'order', redirect: 'manual' })).status).toBe(status);
      await expect(auth.fetch(url, { method, body: 'order', redirect: 'error' })).rejects.toThrow(TypeError);
    },
  );

  it('rejects a loop of redirects, one to another protocol, and one that would need a stream again', async () => {
    const { api, auth } = await start(apiKey);
    const to = (target: string, status = 307) => `${api.origin}/to/${status}?${encodeURIComponent(target)}`;
    await expect(auth.fetch(`${api.origin}/to/302?`)).rejects.toThrow(/too many redirects/);
    await expect(auth.fetch(to('file:///etc/passwd'))).rejects.toThrow(/not http/);
    const stream = Readable.toWeb(createReadStream(import.meta.filename));
    await expect(
      auth.fetch(to('/orders'), { method: 'POST', body: stream, duplex: 'half' } as never),
    ).rejects.toThrow(/stream/);
  });
});
