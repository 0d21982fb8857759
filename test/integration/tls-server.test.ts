import { createServer as createHttpServer } from 'node:http';
import { createSecureServer } from 'node:http2';
import { createServer as createHttpsServer, get } from 'node:https';
import { createServer as createTlsServer, type Server, type TlsOptions } from 'node:tls';
import { inspect } from 'node:util';
import { memory, mountedFiles, SecretStore, secret } from 'hot-secrets';
import { attachSecureContext } from 'hot-secrets/tls';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createAuthority, type Issued } from '../support/certificates';
import { createPfx } from '../support/pfx';
import { files, handshake, linesOf, listen, served, tlsHarness } from '../support/tls-harness';
import { waitFor } from '../support/wait-for';

const makers: Record<string, (options?: TlsOptions) => Server> = {
  https: (options = {}) => createHttpsServer(options, (_request, response) => response.end('hello')),
  http2: (options = {}) => createSecureServer(options, (_request, response) => response.end('hello')),
  tls: (options = {}) => createTlsServer(options, (socket) => socket.pipe(socket)),
};

/** Records process warnings until the test ends. */
function warnings(): Error[] {
  const recorded: Error[] = [];
  const record = (warning: Error) => recorded.push(warning);
  process.on('warning', record);
  onTestFinished(() => void process.off('warning', record));
  return recorded;
}

describe.each(Object.entries(makers))('an attached %s server', (_kind, make) => {
  it('presents each new certificate to new connections, and keeps old ones open', async () => {
    const { secrets, authority, rotate } = await tlsHarness();
    const server = make();
    const context = attachSecureContext(server, secrets, (s) => s.reveal('web'));
    const port = await listen(server);
    const ca = authority.cert;
    const old = [await handshake(port, { ca })];
    expect(old[0]?.commonName).toBe('web-1');
    for (const commonName of ['web-2', 'web-3', 'web-4', 'web-5']) {
      await rotate('web', commonName);
      await waitFor(async () => (await served(port, { ca })) === commonName);
      old.push(await handshake(port, { ca }));
      expect(context.staleCount).toBe(old.length - 1);
      expect(context.generation).toBe(secrets.generation);
    }
    expect(old.map(({ commonName }) => commonName)).toEqual(['web-1', 'web-2', 'web-3', 'web-4', 'web-5']);
    expect(old.some(({ socket }) => socket.destroyed || socket.readableEnded)).toBe(false);
    for (const { socket } of old) socket.destroy();
    await waitFor(() => context.staleCount === 0);
  });

  it('keeps minVersion and ca of a server through rotations', async () => {
    const { secrets, authority, rotate, issue } = await tlsHarness();
    const server = make({
      minVersion: 'TLSv1.3',
      ca: authority.cert,
      requestCert: true,
      rejectUnauthorized: true,
    });
    // An undefined option of a recipe does not count.
    attachSecureContext(server, secrets, (s) => ({ ...s.reveal('web'), minVersion: undefined }) as object);
    const port = await listen(server);
    const { cert, key } = await issue('client');
    const client = { ca: authority.cert, cert, key };
    const stranger = await (await createAuthority()).issue();
    const authorized: boolean[] = [];
    server.on('secureConnection', (socket) => authorized.push(socket.authorized));
    for (const commonName of ['web-1', 'web-2', 'web-3', 'web-4']) {
      if (commonName !== 'web-1') await rotate('web', commonName);
      await waitFor(async () => (await served(port, client)) === commonName);
      await expect(handshake(port, { ...client, maxVersion: 'TLSv1.2' })).rejects.toMatchObject({
        code: 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION',
      });
      // With TLS 1.3, the client learns of the refusal after its handshake.
      const refused = await handshake(port, { ca: authority.cert, cert: stranger.cert, key: stranger.key });
      await waitFor(() => refused.socket.destroyed);
      expect(server).toMatchObject({ minVersion: 'TLSv1.3', ca: authority.cert });
    }
    expect(authorized).not.toContain(false);
  });

  it('prefers the options of the recipe to those of the server', async () => {
    const { secrets, authority } = await tlsHarness();
    const server = make({ minVersion: 'TLSv1.3' });
    attachSecureContext(server, secrets, (s) => ({
      ...s.reveal('web'),
      minVersion: 'TLSv1.2',
      maxVersion: 'TLSv1.2',
    }));
    const port = await listen(server);
    expect((await handshake(port, { ca: authority.cert })).protocol).toBe('TLSv1.2');
  });
});

it('swaps between a PFX and a PEM pair', async () => {
  const { authority, issue } = await tlsHarness();
  const issued = await Promise.all(['first', 'second', 'third', 'fourth'].map((name) => issue(name)));
  const pfx = (index: number) => createPfx({ ...(issued[index] as Issued), password: 'p' });
  const pem = (index: number) => `${issued[index]?.chain}${issued[index]?.key}`;
  const source = memory({ web: pfx(0), passphrase: 'p' });
  await using secrets = await SecretStore.open({
    secrets: { web: secret.tls('web', { passphrase: 'passphrase' }) },
    sources: [source],
  });
  const server = createTlsServer((socket) => socket.resume());
  await using _context = attachSecureContext(server, secrets, (s) => s.reveal('web'));
  const port = await listen(server);
  const ca = authority.cert;
  expect(await served(port, { ca })).toBe('first');
  for (const [web, commonName] of [
    [pem(1), 'second'],
    [pfx(2), 'third'],
    [pem(3), 'fourth'],
  ] as const) {
    source.set({ web });
    await waitFor(async () => (await served(port, { ca })) === commonName);
  }
});

describe('an invalid pair of an attached server', () => {
  const spoilers: Record<string, (good: Issued, other: Issued) => Partial<Issued>> = {
    mismatched: (good, other) => ({ chain: good.chain, key: other.key }),
    'with a truncated key': ({ chain, key }) => ({ chain, key: key.slice(0, key.length / 2) }),
    'with a truncated certificate': ({ chain, key }) => ({ chain: chain.slice(0, chain.length / 2), key }),
    'of garbage': () => ({ chain: 'no certificate', key: 'no key' }),
    'with an empty key': ({ chain }) => ({ chain, key: '' }),
    'with an empty certificate': ({ key }) => ({ chain: '', key }),
  };

  it.each(Object.entries(spoilers))(
    'keeps the old pair while the new one is invalid (%s), prints no key, and then uses a valid one',
    async (_how, spoil) => {
      const { secrets, authority, mount, rotate, issue } = await tlsHarness();
      const warned = warnings();
      // One server uses a definition that validates, the other plain texts.
      const texts = await SecretStore.open({
        secrets: { cert: secret.text('web.crt'), key: secret.text('web.key') },
        sources: [mountedFiles(mount.path)],
      });
      onTestFinished(() => texts.close());
      const [checked, plain] = [makers.https?.() as Server, makers.https?.() as Server];
      const events: unknown[] = [];
      const contexts = [
        attachSecureContext(checked, secrets, (s) => s.reveal('web')),
        attachSecureContext(plain, texts, (s) => ({ cert: s.reveal('cert'), key: s.reveal('key') })),
      ];
      secrets.on('error', (error) => events.push(error));
      texts.on('error', (error) => events.push(error));
      for (const context of contexts) context.on('rejected', (event) => events.push(event));
      const ports = [await listen(checked), await listen(plain)];
      const ca = authority.cert;
      const both = () => Promise.all(ports.map((port) => served(port, { ca })));
      for (const round of [1, 2, 3]) {
        const before = [checked, plain].map(({ key, cert }: Server & Partial<Issued>) => ({ key, cert }));
        const [bad, other] = [await issue('bad'), await issue('other')];
        const count = events.length;
        await mount.rotate(files('web', { chain: bad.chain, key: bad.key, ...spoil(bad, other) }));
        await waitFor(() => events.length >= count + 2);
        expect(await both()).toEqual([`web-${round}`, `web-${round}`]);
        expect([checked, plain].map(({ key, cert }: Server & Partial<Issued>) => ({ key, cert }))).toEqual(
          before,
        );
        const shown = inspect([events, warned, contexts], { depth: 20, showHidden: true });
        for (const line of [...linesOf(bad.key), ...linesOf(other.key)]) expect(shown).not.toContain(line);

        await rotate('web', `web-${round + 1}`);
        await waitFor(async () => (await both()).every((name) => name === `web-${round + 1}`));
      }
      expect(warned).toEqual([]);
    },
  );

  it('keeps the old pair while the new one has expired', async () => {
    const { secrets, authority, mount, rotate } = await tlsHarness();
    const server = makers.https?.() as Server;
    attachSecureContext(server, secrets, (s) => s.reveal('web'));
    const codes: string[] = [];
    secrets.on('error', ({ code }) => codes.push(code));
    const port = await listen(server);
    const ca = authority.cert;
    for (const round of [1, 2, 3]) {
      const expired = await authority.issue({ notAfter: new Date(Date.now() - 60_000) });
      await mount.rotate(files('web', expired));
      await waitFor(() => codes.length === round);
      expect(await served(port, { ca })).toBe(`web-${round}`);
      await rotate('web', `web-${round + 1}`);
      await waitFor(async () => (await served(port, { ca })) === `web-${round + 1}`);
    }
    expect(new Set(codes)).toEqual(new Set(['CERTIFICATE_EXPIRED']));
  });
});

describe('the arguments of attachSecureContext()', () => {
  it.each([
    ['a server without TLS', 'OPTION_INVALID', createHttpServer() as unknown as Server, {}],
    ['no server', 'OPTION_INVALID', undefined as unknown as Server, {}],
    ['other objects as names', 'OPTION_INVALID', createTlsServer(), { names: {} as never }],
    ['a duration as text', 'OPTION_INVALID', createTlsServer(), { drainTimeoutMs: '1s' as never }],
    ['a misspelt option', 'OPTION_UNKNOWN', createTlsServer(), { drainTimeout: 1 } as never],
  ])('refuses to attach with %s (%s)', async (_what, code, server, options) => {
    const { secrets } = await tlsHarness();
    const attach = () => attachSecureContext(server, secrets, (s) => s.reveal('web'), options);
    expect(attach).toThrow(expect.objectContaining({ code }));
  });

  it('refuses to attach with an invalid first pair, and leaves the server unchanged', async () => {
    const { secrets, authority, issue } = await tlsHarness();
    const { cert, key } = await issue('own');
    const server = createTlsServer({ cert, key });
    const listeners = () => server.eventNames().map((event) => server.listenerCount(event));
    const before = listeners();
    const recipes = {
      CERTIFICATE_MISSING: () => ({ key }),
      PRIVATE_KEY_MISSING: () => ({ cert }),
      TLS_OPTIONS_INVALID: () => ({ cert: authority.cert, key }),
      RECIPE_FAILED: () => {
        throw new Error(key);
      },
      RECIPE_ASYNC: (async () => ({ cert, key })) as never,
    };
    for (const [code, recipe] of Object.entries(recipes)) {
      let thrown: unknown;
      try {
        attachSecureContext(server, secrets, (s) => {
          s.has('web');
          return recipe();
        });
      } catch (error) {
        thrown = error;
      }
      expect(thrown).toMatchObject({ code });
      for (const line of linesOf(key)) expect(inspect(thrown, { showHidden: true })).not.toContain(line);
    }
    expect(listeners()).toEqual(before);
    const port = await listen(server);
    expect(await served(port, { ca: authority.cert })).toBe('own');
  });

  it('refuses to attach a server twice until the first attachment is closed', async () => {
    const { secrets } = await tlsHarness();
    const server = createTlsServer();
    const attach = () => attachSecureContext(server, secrets, (s) => s.reveal('web'));
    const first = attach();
    expect(attach).toThrow(expect.objectContaining({ code: 'OPTION_INVALID' }));
    await first.close();
    await attach().close();
  });
});

describe('close() of an attached context', () => {
  it('keeps the last pair on the server and removes its listeners when the context closes', async () => {
    const { secrets, authority, rotate } = await tlsHarness();
    const server = makers.https?.() as Server;
    const listeners = () => server.eventNames().map((event) => [event, server.listenerCount(event)]);
    const before = listeners();
    const events: unknown[] = [];
    const context = attachSecureContext(server, secrets, (s) => s.reveal('web'), { drainTimeoutMs: 60_000 });
    for (const event of ['swapped', 'drained', 'rejected', 'error'] as const) {
      context.on(event, (payload) => events.push(payload));
    }
    const closing = context.close();
    expect(context.close()).toBe(closing);
    await closing;
    await context[Symbol.asyncDispose]();
    expect(listeners()).toEqual(before);
    const port = await listen(server);
    await rotate('web', 'web-2');
    await waitFor(() => secrets.generation === 2);
    expect(await served(port, { ca: authority.cert })).toBe('web-1');
    expect(events).toEqual([]);
    expect(context.generation).toBe(1);
  });

  it('keeps the old pair on the server when the context closes during a rotation', async () => {
    const { secrets, authority, rotate } = await tlsHarness();
    const server = createTlsServer((socket) => socket.resume());
    const port = await listen(server);
    for (const round of [2, 3, 4]) {
      const context = attachSecureContext(server, secrets, (s) => s.reveal('web'));
      // The context closes after the change and before the swap.
      const stop = secrets.on('change', () => void context.close());
      await rotate('web', `web-${round}`);
      await waitFor(() => secrets.generation === round);
      stop();
      await context.close();
      expect(context.generation).toBe(round - 1);
      expect(await served(port, { ca: authority.cert })).toBe(`web-${round - 1}`);
    }
  });

  it('closes the context when its server closes', async () => {
    const { secrets, rotate } = await tlsHarness();
    const server = createTlsServer();
    const context = attachSecureContext(server, secrets, (s) => s.reveal('web'));
    server.listen(0, '127.0.0.1');
    await new Promise((resolve) => server.close(resolve));
    await rotate('web', 'web-2');
    await waitFor(() => secrets.generation === 2);
    expect(context.generation).toBe(1);
    await attachSecureContext(server, secrets, (s) => s.reveal('web')).close();
  });
});

describe('the private keys of an attached server', () => {
  it('keeps private keys and ticket keys out of printed requests, sockets and servers', async () => {
    const { secrets, authority, rotate } = await tlsHarness();
    const shown: string[] = [];
    const server = createHttpsServer({ ticketKeys: Buffer.alloc(48, 'ticket-key') }, (request, response) => {
      shown.push(inspect(request, { depth: 6 }), inspect(request.socket, { depth: 6 }));
      response.end();
    });
    const context = attachSecureContext(server, secrets, (s) => s.reveal('web'));
    const port = await listen(server);
    const keys = [secrets.reveal('web').key as string];
    for (const commonName of ['web-2', 'web-3', 'web-4']) {
      keys.push((await rotate('web', commonName)).key);
      await waitFor(async () => (await served(port, { ca: authority.cert })) === commonName);
      await new Promise((resolve, reject) => {
        get({ port, ca: authority.cert, agent: false }, resolve).on('error', reject);
      });
      shown.push(inspect(server, { depth: 6 }), inspect(context, { depth: 6, showHidden: true }));
    }
    expect(shown).toHaveLength(12);
    for (const line of keys.flatMap(linesOf)) expect(shown.join()).not.toContain(line);
    expect(shown.join()).not.toContain(Buffer.from('ticket-key').toString('hex', 0, 4));
  });
});
