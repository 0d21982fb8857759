import { constants, randomBytes } from 'node:crypto';
import { type ConnectionOptions, createServer, type TlsOptions } from 'node:tls';
import { memory, SecretStore, secret } from 'hot-secrets';
import { attachSecureContext, createServerNames } from 'hot-secrets/tls';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createAuthority } from '../support/certificates';
import { handshake, listen, tlsHarness } from '../support/tls-harness';
import { waitFor } from '../support/wait-for';

const versions = ['TLSv1.2', 'TLSv1.3'] as const;

/** Whether a handshake resumes the given session. */
async function isResumed(port: number, options: ConnectionOptions): Promise<boolean> {
  const { socket, resumed } = await handshake(port, options);
  socket.destroy();
  return resumed;
}

/** Makes a session, and proves that the server resumes it now. */
async function session(port: number, options: ConnectionOptions): Promise<Buffer> {
  const first = await handshake(port, options);
  const made = await first.session();
  first.socket.destroy();
  expect(await isResumed(port, { ...options, session: made })).toBe(true);
  return made;
}

const settings: Record<string, TlsOptions> = {
  'without ticketKeys': {},
  'with ticketKeys': { ticketKeys: randomBytes(48) },
  'with client certificates': { requestCert: true, rejectUnauthorized: false },
};

describe.each(versions)('%s sessions of a server', (maxVersion) => {
  it.each(Object.entries(settings))('resumes no session after a rotation (%s)', async (_what, options) => {
    const { secrets, authority, rotate } = await tlsHarness();
    const server = createServer(options, (socket) => socket.on('error', () => {}).resume());
    const context = attachSecureContext(server, secrets, (s) => s.reveal('web'));
    const port = await listen(server);
    const client = { ca: authority.cert, maxVersion };
    for (const commonName of ['web-2', 'web-3', 'web-4']) {
      const old = await session(port, client);
      const rotated = new Promise((resolve) => context.on('swapped', resolve));
      await rotate('web', commonName);
      await rotated;
      const next = await handshake(port, { ...client, session: old });
      expect(next).toMatchObject({ resumed: false, commonName });
    }
  });

  it('resumes no session of a server name after it rotates, is deleted or is set', async () => {
    const { secrets, authority, rotate } = await tlsHarness();
    const names = createServerNames(secrets, { 'api.test': (s) => s.reveal('api') });
    const server = createServer({ SNICallback: names.SNICallback, ticketKeys: randomBytes(48) }, (socket) =>
      socket.resume(),
    );
    attachSecureContext(server, secrets, (s) => s.reveal('web'), { names });
    const port = await listen(server);
    const client = { ca: authority.cert, maxVersion, servername: 'api.test' };
    for (const commonName of ['api-2', 'api-3', 'api-4']) {
      const old = await session(port, client);
      const rotated = new Promise((resolve) => names.on('swapped', resolve));
      await rotate('api', commonName);
      await rotated;
      expect(await handshake(port, { ...client, session: old })).toMatchObject({
        resumed: false,
        commonName,
      });
    }
    const ofApi = await session(port, client);
    names.delete('api.test');
    const byDefault = { ...client, checkServerIdentity: () => undefined };
    expect(await handshake(port, { ...byDefault, session: ofApi })).toMatchObject({
      resumed: false,
      commonName: 'web-1',
    });
    const ofWeb = await session(port, byDefault);
    names.set('api.test', (s) => s.reveal('api'));
    expect(await handshake(port, { ...client, session: ofWeb })).toMatchObject({
      resumed: false,
      commonName: 'api-4',
    });
  });

  it('resumes sessions of another server with the same certificate and ticketKeys, also after rotations', async () => {
    const { secrets, authority, rotate } = await tlsHarness();
    const ticketKeys = randomBytes(48);
    const [one, other] = await Promise.all(
      [1, 2].map(async () => {
        const server = createServer({ ticketKeys }, (socket) => socket.on('error', () => {}).resume());
        const context = attachSecureContext(server, secrets, (s) => s.reveal('web'));
        return { context, port: await listen(server) };
      }),
    );
    const client = { ca: authority.cert, maxVersion };
    for (const commonName of ['web-1', 'web-2', 'web-3', 'web-4']) {
      if (commonName !== 'web-1') await rotate('web', commonName);
      await waitFor(
        () =>
          secrets.reveal('web').leaf.subject.includes(commonName) &&
          [one, other].every((side) => side?.context.generation === secrets.generation),
      );
      const made = await session(one?.port as number, client);
      expect(await isResumed(other?.port as number, { ...client, session: made })).toBe(true);
    }
  });

  it('resumes sessions with ticketKeys of the recipe until the certificate or the ticketKeys rotate', async () => {
    const { authority, issue } = await tlsHarness();
    const [first, second] = await Promise.all([issue('first'), issue('second')]);
    const pair = ({ cert, key }: typeof first) => ({ cert, key, ticketKeys: randomBytes(48) });
    const source = memory(pair(first));
    const secrets = await SecretStore.open({
      secrets: {
        pair: secret.tls({ cert: 'cert', key: 'key' }),
        ticketKeys: secret.bytes('ticketKeys'),
        other: secret.text('other').optional(),
      },
      sources: [source],
    });
    onTestFinished(() => secrets.close());
    const server = createServer((socket) => socket.on('error', () => {}).resume());
    attachSecureContext(server, secrets, (s) => ({
      ...s.reveal('pair'),
      ticketKeys: Buffer.from(s.reveal('ticketKeys')),
    }));
    const port = await listen(server);
    const client = { ca: authority.cert, maxVersion };
    for (const next of [second, first, second]) {
      const old = await session(port, client);
      source.set({ other: 'unrelated' });
      await secrets.refresh();
      expect(await isResumed(port, { ...client, session: old })).toBe(true);
      source.set({ cert: next.cert, key: next.key });
      await secrets.refresh();
      await waitFor(async () => !(await isResumed(port, { ...client, session: old })));
      const younger = await session(port, client);
      source.set({ ticketKeys: randomBytes(48) });
      await secrets.refresh();
      await waitFor(async () => !(await isResumed(port, { ...client, session: younger })));
    }
  });
});

describe.each(versions)('%s sessions of a client with a certificate', (maxVersion) => {
  it('resumes no session after the client ca rotates, and refuses clients of an authority that is gone', async () => {
    const { authority, issue } = await tlsHarness();
    const [pair, client, next] = await Promise.all([issue('web'), issue('client'), createAuthority()]);
    const source = memory({ cert: pair.cert, key: pair.key, ca: authority.cert });
    const secrets = await SecretStore.open({
      secrets: { pair: secret.tls({ cert: 'cert', key: 'key' }), ca: secret.tls({ ca: 'ca' }) },
      sources: [source],
    });
    onTestFinished(() => secrets.close());
    const welcomed: boolean[] = [];
    const options = { requestCert: true, rejectUnauthorized: true, ticketKeys: randomBytes(48) };
    const server = createServer(options, (socket) => {
      welcomed.push(socket.authorized);
      socket.resume();
    });
    const context = attachSecureContext(server, secrets, (s) => ({ ...s.reveal('pair'), ...s.reveal('ca') }));
    const port = await listen(server);
    const own = { ca: authority.cert, cert: client.cert, key: client.key, maxVersion };
    const old = await session(port, own);
    for (const ca of [next.cert, `${authority.cert}${next.cert}`, next.cert]) {
      const { generation } = context;
      source.set({ ca });
      await waitFor(() => context.generation > generation);
      const count = welcomed.length;
      const trusted = ca.includes(authority.cert);
      const visit = handshake(port, { ...own, session: old });
      const seen = await visit.catch(() => undefined);
      expect(seen?.resumed ?? false).toBe(false);
      if (trusted) await waitFor(() => welcomed.length === count + 1);
      else await waitFor(() => seen === undefined || seen.socket.destroyed);
      seen?.socket.destroy();
      expect(welcomed).toHaveLength(count + (trusted ? 1 : 0));
    }
  });
});

describe('sessions in a custom cache', () => {
  it('resumes no session of a custom cache after a rotation', async () => {
    const { secrets, authority, rotate } = await tlsHarness();
    const cache = new Map<string, Buffer>();
    const server = createServer({ secureOptions: constants.SSL_OP_NO_TICKET }, (socket) =>
      socket.on('error', () => {}).resume(),
    );
    server.on('newSession', (id: Buffer, data: Buffer, done: () => void) => {
      cache.set(id.toString('hex'), data);
      done();
    });
    server.on('resumeSession', (id: Buffer, done: (error: Error | null, data: Buffer | null) => void) => {
      done(null, cache.get(id.toString('hex')) ?? null);
    });
    const context = attachSecureContext(server, secrets, (s) => s.reveal('web'));
    const port = await listen(server);
    const client = { ca: authority.cert, maxVersion: 'TLSv1.2' as const };
    for (const commonName of ['web-2', 'web-3', 'web-4']) {
      const old = await session(port, client);
      const rotated = new Promise((resolve) => context.on('swapped', resolve));
      await rotate('web', commonName);
      await rotated;
      expect(await handshake(port, { ...client, session: old })).toMatchObject({
        resumed: false,
        commonName,
      });
    }
  });
});
