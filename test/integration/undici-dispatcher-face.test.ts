import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect as tlsConnect } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';
import { createDispatcher } from 'hot-secrets/undici';
import * as undici from 'undici';
import { describe, expect, it, onTestFinished } from 'vitest';
import { childFile } from '../support/child-file';
import { type ClientHarness, pairAndTrust, settled, startClientHarness } from '../support/tls-client-harness';
import { waitFor } from '../support/wait-for';

const CHILD = fileURLToPath(new URL('../support/undici-exit-child.ts', import.meta.url));

function dispatcherOf({ secrets }: ClientHarness, settings: object = {}) {
  const dispatcher = createDispatcher(secrets, (s) => ({ ...settings, connect: pairAndTrust(s) }));
  onTestFinished(() => dispatcher.destroy());
  return dispatcher;
}

async function get(dispatcher: undici.Dispatcher, url: string): Promise<string> {
  return (await undici.request(url, { dispatcher })).body.text();
}

const closed = expect.objectContaining({ code: expect.stringMatching(/^UND_ERR_(CLOSED|DESTROYED)$/) });

describe('the dispatcher of createDispatcher()', () => {
  it('returns a Dispatcher with promises, callbacks and streams', async () => {
    const harness = await startClientHarness();
    const { origin } = harness.server;
    const dispatcher = dispatcherOf(harness);
    expect(dispatcher).toBeInstanceOf(undici.Dispatcher);
    for (const _round of [1, 2, 3]) {
      const serial = await harness.rotate();
      await settled(dispatcher, harness.secrets);
      const options = { origin, path: '/', method: 'GET' } as const;
      expect(await (await dispatcher.request(options)).body.text()).toBe(serial);
      const called = await new Promise<undici.Dispatcher.ResponseData>((resolve, reject) => {
        dispatcher.request(options, (error, data) => (error ? reject(error) : resolve(data)));
      });
      expect(await called.body.text()).toBe(serial);
      const piped = dispatcher.pipeline(options, ({ body }) => body);
      piped.end();
      let text = '';
      for await (const chunk of piped) text += chunk;
      expect(text).toBe(serial);
    }
  });

  it('follows rotations under interceptors', async () => {
    const harness = await startClientHarness();
    const { server, secrets } = harness;
    const dispatcher = dispatcherOf(harness);
    const composed = dispatcher.compose(undici.interceptors.retry(), undici.interceptors.redirect());
    for (const _round of [1, 2, 3]) {
      const serial = await harness.rotate();
      await settled(dispatcher, secrets);
      expect(await get(composed, server.origin)).toBe(serial);
    }
    await composed.close();
    await expect(get(dispatcher, server.origin)).rejects.toEqual(closed);
  });

  it('emits the events of its agents as a Dispatcher', async () => {
    const harness = await startClientHarness();
    const dispatcher = dispatcherOf(harness);
    const seen: unknown[][] = [];
    for (const event of ['connect', 'disconnect'] as const) {
      dispatcher.on(event as 'connect', (origin, targets) => {
        seen.push([event, origin.origin, targets[0] === dispatcher]);
      });
    }
    const { origin } = harness.server;
    await get(dispatcher, origin);
    await harness.rotate();
    await settled(dispatcher, harness.secrets);
    await get(dispatcher, origin);
    expect(seen).toEqual([
      ['connect', origin, true],
      ['disconnect', origin, true],
      ['connect', origin, true],
    ]);
    const refused = once(dispatcher, 'connectionError');
    await expect(get(dispatcher, 'https://localhost:1')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    expect((await refused)[2]).toMatchObject({ code: 'ECONNREFUSED' });
  });

  it('keeps private keys out of everything that a dispatcher prints', async () => {
    const harness = await startClientHarness();
    const dispatcher = dispatcherOf(harness);
    const things: unknown[] = [dispatcher, dispatcher.rotation];
    dispatcher.on('connect', (_origin, targets) => things.push(targets));
    dispatcher.on('connectionError', (...all) => things.push(all));
    const keys: string[] = [];
    for (const _round of [1, 2, 3]) {
      keys.push(harness.secrets.reveal('client').key as string);
      await get(dispatcher, harness.server.origin);
      await get(dispatcher, 'https://localhost:1').catch((error) => things.push(error));
      await harness.rotate();
      await settled(dispatcher, harness.secrets);
    }
    const shown = things.map((thing) => inspect(thing, { depth: 12, showHidden: true })).join();
    expect(things.length).toBeGreaterThanOrEqual(8);
    const lines = keys.flatMap((key) => key.split('\n')).filter((line) => /^[\w+/=]{20,}$/.test(line));
    expect(lines.length).toBeGreaterThanOrEqual(6);
    for (const line of lines) expect(shown).not.toContain(line);
  });

  it('calls the connect function of the current recipe', async () => {
    const harness = await startClientHarness();
    const { server, secrets } = harness;
    const dispatcher = createDispatcher(secrets, (s) => {
      const pair = pairAndTrust(s);
      return {
        connect({ hostname, port }, callback) {
          const socket = tlsConnect({ ...pair, host: hostname, port: Number(port), servername: 'localhost' });
          socket.once('secureConnect', () => callback(null, socket));
          socket.once('error', (error) => callback(error, null));
        },
      };
    });
    onTestFinished(() => dispatcher.destroy());
    expect(await get(dispatcher, server.origin)).toBe(harness.firstSerial);
    for (const _round of [1, 2, 3]) {
      const serial = await harness.rotate();
      await settled(dispatcher, secrets);
      expect(await get(dispatcher, server.origin)).toBe(serial);
    }
  });

  it.each(['promise', 'callback'] as const)('closes a dispatcher after its requests (%s)', async (form) => {
    const harness = await startClientHarness();
    const { server, secrets } = harness;
    const dispatcher = dispatcherOf(harness, { connections: 1 });
    const old = get(dispatcher, `${server.origin}/held`);
    await waitFor(() => server.heldCount === 1);
    await harness.rotate();
    await settledGeneration(dispatcher, secrets);
    const [busy, waiting] = [get(dispatcher, `${server.origin}/held`), get(dispatcher, server.origin)];
    await waitFor(() => server.heldCount === 2);

    const close = () =>
      form === 'promise'
        ? dispatcher.close()
        : new Promise<void>((resolve) => {
            dispatcher.close(resolve);
          });
    const closing = [close(), close()];
    expect(dispatcher.closed).toBe(true);
    await expect(get(dispatcher, server.origin)).rejects.toEqual(closed);
    server.release();
    await Promise.all([old, busy, waiting, ...closing]);
    await close();
    await waitFor(() => server.openCount === 0);
    expect(dispatcher).toMatchObject({ destroyed: true, rotation: { generation: 2, staleCount: 0 } });
    await harness.rotate();
    expect(dispatcher.rotation.generation).toBe(2);
  });

  it.each(['promise', 'callback', 'error and callback'] as const)(
    'destroys a dispatcher and fails its requests at once (%s)',
    async (form) => {
      const harness = await startClientHarness();
      const { server, secrets } = harness;
      const dispatcher = dispatcherOf(harness, { connections: 1 });
      const old = get(dispatcher, `${server.origin}/held`);
      await waitFor(() => server.heldCount === 1);
      await harness.rotate();
      await settledGeneration(dispatcher, secrets);
      const failures = Promise.allSettled([
        old,
        get(dispatcher, `${server.origin}/held`),
        get(dispatcher, server.origin),
      ]);
      await waitFor(() => server.heldCount === 2);
      const closing = dispatcher.close();
      const cause = Object.assign(new Error('enough'), { code: 'ENOUGH' });
      if (form === 'promise') await dispatcher.destroy();
      else {
        await new Promise<void>((resolve) => {
          if (form === 'callback') dispatcher.destroy(resolve);
          else dispatcher.destroy(cause, resolve);
        });
      }
      await dispatcher.destroy();
      await closing;
      const expected = form === 'error and callback' ? 'ENOUGH' : 'UND_ERR_DESTROYED';
      for (const one of await failures) {
        expect(one).toMatchObject({ status: 'rejected', reason: { code: expected } });
      }
      await expect(get(dispatcher, server.origin)).rejects.toEqual(closed);
      await waitFor(() => server.openCount === 0);
    },
  );

  it('keeps using its certificate once the store is closed', async () => {
    const harness = await startClientHarness();
    const dispatcher = dispatcherOf(harness);
    await harness.secrets.close();
    expect(await get(dispatcher, harness.server.origin)).toBe(harness.firstSerial);
  });

  it('lets a process exit that never closes its dispatcher', async () => {
    const harness = await startClientHarness();
    const { chain, key } = await harness.authority.issue();
    const child = spawn(process.execPath, [childFile(CHILD)], { stdio: ['pipe', 'pipe', 'inherit'] });
    child.stdin.end(JSON.stringify({ url: harness.server.origin, chain, key, ca: harness.authority.cert }));
    let output = '';
    child.stdout.on('data', (chunk) => {
      output += chunk;
    });
    const [status] = await once(child, 'close');
    expect([status, output]).toEqual([0, 'done\n']);
  });
});

describe('the arguments of createDispatcher()', () => {
  it('refuses to make a dispatcher when the first recipe is unusable', async () => {
    const { secrets, authority } = await startClientHarness();
    const [one, other] = [await authority.issue(), await authority.issue()];
    const made = (recipe: () => unknown) => () =>
      createDispatcher(secrets, (s) => {
        s.has('client');
        return recipe() as object;
      });
    const code = (expected: string) => expect.objectContaining({ code: expected });
    expect(made(() => ({ connect: { cert: one.cert, key: other.key } }))).toThrow(
      code('TLS_OPTIONS_INVALID'),
    );
    expect(made(() => ({ connect: { cert: one.cert } }))).toThrow(code('PRIVATE_KEY_MISSING'));
    expect(made(() => ({ maxOrigins: 0, maxRedirections: -1 }))).toThrow(code('RECIPE_FAILED'));
    expect(made(() => undefined)).toThrow(code('RECIPE_FAILED'));
    expect(made(async () => ({}))).toThrow(code('RECIPE_ASYNC'));
  });

  it('uses the given undici module', async () => {
    const { secrets } = await startClientHarness();
    class OwnDispatcher extends undici.Dispatcher {}
    const own = { ...undici, Dispatcher: OwnDispatcher as typeof undici.Dispatcher };
    const dispatcher = createDispatcher(secrets, (s) => ({ connect: pairAndTrust(s) }), { undici: own });
    expect(dispatcher).toBeInstanceOf(OwnDispatcher);
    await dispatcher.close();
  });

  it('refuses an undici module that lacks needed classes', async () => {
    const { secrets } = await startClientHarness();
    const { Agent, Dispatcher } = undici;
    expect(() => createDispatcher(secrets, () => ({}), { undici: { Agent, Dispatcher } as never })).toThrow(
      expect.objectContaining({ code: 'PEER_UNSUPPORTED', what: expect.stringContaining('buildConnector') }),
    );
  });

  it('refuses unknown options of createDispatcher, and accepts undefined ones', async () => {
    const { secrets } = await startClientHarness();
    expect(() => createDispatcher(secrets, () => ({}), { drainTimeout: 1 } as never)).toThrow(
      expect.objectContaining({ code: 'OPTION_UNKNOWN', next: 'Did you mean "drainTimeoutMs"?' }),
    );
    const none = { name: undefined, undici: undefined };
    await createDispatcher(secrets, (s) => ({ connect: pairAndTrust(s) }), none as never).close();
  });
});

function settledGeneration(
  { rotation }: ReturnType<typeof dispatcherOf>,
  { generation }: ClientHarness['secrets'],
): Promise<boolean> {
  return waitFor(() => rotation.generation === generation);
}
