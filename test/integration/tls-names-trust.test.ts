import { X509Certificate } from 'node:crypto';
import http2 from 'node:http2';
import https from 'node:https';
import { type ConnectionOptions, connect, createServer, type Server, type TLSSocket } from 'node:tls';
import { memory, SecretStore, secret } from 'hot-secrets';
import { attachSecureContext, createServerNames, type ServerNames } from 'hot-secrets/tls';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { bindsSessionsToNames } from '../../src/adapters/tls/session-context';
import { type Authority, createAuthority, type Issued } from '../support/certificates';
import { handshake, listen } from '../support/tls-harness';
import { waitFor } from '../support/wait-for';

const versions = ['TLSv1.2', 'TLSv1.3'] as const;
const names = ['a.test', 'b.test', 'c.test'];

/** What the server sees of one connection. */
interface Visit {
  readonly authorized: boolean;
  readonly error: unknown;
  readonly resumed: boolean;
  readonly client: string;
}

interface Stage {
  readonly visits: Visit[];
  readonly client: ConnectionOptions;
  readonly partners: Authority;
  readonly source: ReturnType<typeof memory>;
  readonly port: number;
  /** Resolves with what the server let in, `undefined` if it refused, and the session that the client got. */
  visit(options: ConnectionOptions): Promise<{ seen: Visit | undefined; session: Buffer | undefined }>;
}

type MakeServer = (
  options: { SNICallback: ServerNames<unknown>['SNICallback']; requestCert: true },
  seen: (socket: TLSSocket) => void,
) => Server;

const plain: MakeServer = (options, seen) =>
  createServer(options, (socket) => {
    socket.on('error', () => {});
    seen(socket);
    socket.end('hello');
  });

/**
 * A server whose name `a.test` and default trust partners. `b.test` trusts `others`, `c.test` partners too.
 */
async function stage(others: 'partners' | 'admins' | 'nobody', make: MakeServer = plain): Promise<Stage> {
  const [root, partners, admins] = await Promise.all([
    createAuthority(),
    createAuthority(),
    createAuthority(),
  ]);
  const [pair, partner] = await Promise.all([
    root.issue({ hosts: [...names, 'localhost'] }),
    partners.issue({ commonName: 'partner' }),
  ]);
  const source = memory({ web: pair.key + pair.cert, partners: partners.cert, admins: admins.cert });
  const secrets = await SecretStore.open({
    secrets: {
      web: secret.tls('web'),
      partners: secret.tls({ ca: 'partners' }),
      admins: secret.tls({ ca: 'admins' }),
    },
    sources: [source],
  });
  onTestFinished(() => secrets.close());
  const byName = createServerNames(secrets, {
    'a.test': (s) => ({ ...s.reveal('web'), ...s.reveal('partners') }),
    'b.test': (s) => ({ ...s.reveal('web'), ...(others === 'nobody' ? {} : s.reveal(others)) }),
    'c.test': (s) => ({ ...s.reveal('web'), ...s.reveal('partners') }),
  });
  const visits: Visit[] = [];
  const server = make({ SNICallback: byName.SNICallback, requestCert: true }, (socket) => {
    visits.push({
      authorized: socket.authorized,
      error: socket.authorizationError ?? undefined,
      resumed: socket.isSessionReused(),
      client: String(socket.getPeerCertificate()?.subject?.CN),
    });
  });
  attachSecureContext(server, secrets, (s) => ({ ...s.reveal('web'), ...s.reveal('partners') }), {
    names: byName,
  });
  const port = await listen(server);
  const client = {
    ca: root.cert,
    cert: partner.cert,
    key: partner.key,
    checkServerIdentity: () => undefined,
  };
  return {
    visits,
    client,
    partners,
    source,
    port,
    async visit(options) {
      const count = visits.length;
      const socket = connect({ port, host: '127.0.0.1', ...client, ...options });
      const sessions: Buffer[] = [];
      socket.on('session', (session) => sessions.push(session));
      socket.on('error', () => {});
      socket.resume();
      await new Promise((resolve) => socket.once('close', resolve));
      return { seen: visits[count], session: sessions.at(-1) };
    },
  };
}

describe.each(versions)('%s sessions across server names', (maxVersion) => {
  it.each(['admins', 'nobody'] as const)(
    'refuses the session of one name at another that trusts %s',
    async (others) => {
      const { visit } = await stage(others);
      for (const servername of ['a.test', 'c.test', '']) {
        const first = await visit({ servername, maxVersion });
        expect(first.seen).toMatchObject({ authorized: true, client: 'partner' });
        expect((await visit({ servername: 'b.test', maxVersion })).seen).toBeUndefined();
        const second = await visit({ servername: 'b.test', maxVersion, session: first.session });
        expect(second.seen).toBeUndefined();
        // Nor does a session from the refused handshake open the name.
        const third = await visit({ servername: 'b.test', maxVersion, session: second.session });
        expect(third.seen).toBeUndefined();
      }
    },
  );

  it('serves a name again to a client with a session of that name where authorities differ', async () => {
    const { visit } = await stage('admins');
    const { session } = await visit({ servername: 'a.test', maxVersion });
    for (let round = 0; round < 3; round += 1) {
      const { seen } = await visit({ servername: 'a.test', maxVersion, session });
      expect(seen).toMatchObject({ authorized: true, client: 'partner' });
      expect(seen?.resumed).toBe(bindsSessionsToNames(process.versions));
    }
  });

  it('resumes sessions within a name where all names trust the same authority', async () => {
    const { visit } = await stage('partners');
    for (const servername of ['a.test', 'b.test', '']) {
      const { session } = await visit({ servername, maxVersion });
      const { seen } = await visit({ servername, maxVersion, session });
      expect(seen).toMatchObject({ authorized: true, client: 'partner', resumed: true });
    }
  });

  it('refuses a session from before the authority of its name changed', async () => {
    const { visit, source } = await stage('partners');
    const { session } = await visit({ servername: 'a.test', maxVersion });
    source.set({ partners: (await createAuthority()).cert });
    await waitFor(
      async () => (await visit({ servername: 'a.test', maxVersion, session })).seen === undefined,
    );
  });

  it('refuses to resume the session of a client whose certificate has expired since', async () => {
    const { visit, partners } = await stage('partners');
    const expired = await partners.issue({ commonName: 'brief', notAfter: new Date(Date.now() + 2_500) });
    const own = { servername: 'a.test', maxVersion, cert: expired.cert, key: expired.key };
    const { seen, session } = await visit(own);
    expect(seen).toMatchObject({ authorized: true, client: 'brief' });
    await waitFor(async () => (await visit({ ...own, session })).seen?.authorized !== true);
  });
});

describe('the client certificate of a resumed session', () => {
  it.each(versions)('leaves a client without a certificate unauthorized (%s)', async (maxVersion) => {
    const { visit } = await stage('partners', (options, seen) =>
      plain({ ...options, rejectUnauthorized: false } as typeof options, seen),
    );
    const own = { servername: 'a.test', maxVersion, cert: undefined, key: undefined };
    const { seen, session } = await visit(own);
    expect(seen).toMatchObject({ authorized: false, error: 'UNABLE_TO_GET_ISSUER_CERT' });
    expect((await visit({ ...own, session })).seen).toEqual({ ...seen, resumed: true });
  });

  it('lets no session of a custom cache cross to a name that trusts other authorities', async () => {
    const cache = new Map<string, Buffer>();
    const { visit } = await stage('admins', (options, seen) => {
      const server = plain(options, seen);
      server.on('newSession', (id: Buffer, data: Buffer, done: () => void) => {
        cache.set(id.toString('hex'), data);
        done();
      });
      server.on('resumeSession', (id: Buffer, done: (error: Error | null, data: Buffer | null) => void) => {
        done(null, cache.get(id.toString('hex')) ?? null);
      });
      return server;
    });
    const maxVersion = 'TLSv1.2';
    const { seen, session } = await visit({ servername: 'a.test', maxVersion });
    expect(seen).toMatchObject({ authorized: true });
    const crossed = await visit({ servername: 'b.test', maxVersion, session });
    expect(crossed.seen?.authorized ?? false).toBe(false);
  });

  it.each<[string, MakeServer]>([
    [
      'https',
      (options, seen) =>
        https.createServer(options, (request, response) => {
          seen(request.socket as TLSSocket);
          response.end();
        }),
    ],
    [
      'http2',
      (options, seen) =>
        http2.createSecureServer(options, (request, response) => {
          seen(request.stream.session?.socket as TLSSocket);
          response.end();
        }) as unknown as Server,
    ],
  ])('lets no request of an expired client through (%s)', async (protocol, make) => {
    const requests = vi.fn();
    const { port, client, partners } = await stage('partners', (options, seen) =>
      make(options, (socket) => {
        requests();
        seen(socket);
      }),
    );
    const brief = await partners.issue({ notAfter: new Date(Date.now() + 2_500) });
    const own = { ...client, cert: brief.cert, key: brief.key, servername: 'a.test' };
    const first = await handshake(port, {
      ...own,
      ...(protocol === 'http2' ? { ALPNProtocols: ['h2'] } : {}),
    });
    const session = await first.session();
    first.socket.destroy();
    const { validTo } = new X509Certificate(brief.cert);
    await waitFor(() => Date.parse(validTo) <= Date.now());
    const refused = await attempt(port, { ...own, session }, protocol);
    expect(refused).toBe(false);
    expect(requests).not.toHaveBeenCalled();
  });
});

async function attempt(port: number, options: ConnectionOptions, protocol: string): Promise<boolean> {
  return new Promise((resolve) => {
    if (protocol === 'http2') {
      const session = http2.connect(`https://127.0.0.1:${port}`, options as http2.SecureClientSessionOptions);
      session.on('error', () => resolve(false));
      const request = session.request({ ':path': '/' });
      request.on('response', () => resolve(true));
      request.on('error', () => resolve(false));
      request.on('close', () => {
        session.destroy();
        resolve(false);
      });
      return;
    }
    https
      .get({ port, host: '127.0.0.1', agent: false, ...options }, (response) => {
        response.resume();
        resolve(true);
      })
      .on('error', () => resolve(false));
  });
}

const RSA_FIRST = 'rsa_pss_rsae_sha256:rsa_pkcs1_sha256:ecdsa_secp256r1_sha256';
const EC_FIRST = 'ecdsa_secp256r1_sha256:rsa_pss_rsae_sha256:rsa_pkcs1_sha256';

describe.each(versions)('%s certificates of names whose keys are of another type', (maxVersion) => {
  it.each([
    ['rsa', 'ec'],
    ['ec', 'rsa'],
  ] as const)(
    'shows the certificate of each name after the default moves from %s to %s',
    async (from, to) => {
      const authority = await createAuthority();
      const issue = (commonName: string, key: 'ec' | 'rsa') =>
        authority.issue({ commonName, hosts: [commonName, 'localhost'], key });
      const store = ({ key, cert }: Issued) => key + cert;
      const [before, after, a, b] = await Promise.all([
        issue('before', from),
        issue('after', to),
        issue('a.test', 'rsa'),
        issue('b.test', 'ec'),
      ]);
      const source = memory({ web: store(before), a: store(a), b: store(b) });
      const secrets = await SecretStore.open({
        secrets: { web: secret.tls('web'), a: secret.tls('a'), b: secret.tls('b') },
        sources: [source],
      });
      onTestFinished(() => secrets.close());
      const byName = createServerNames(secrets, {
        'a.test': (s) => s.reveal('a'),
        'b.test': (s) => s.reveal('b'),
      });
      const server = createServer({ SNICallback: byName.SNICallback, honorCipherOrder: false }, (socket) =>
        socket.on('error', () => {}).resume(),
      );
      const attached = attachSecureContext(server, secrets, (s) => s.reveal('web'), { names: byName });
      const port = await listen(server);
      const expectNames = async (byDefault: string) => {
        for (const sigalgs of [undefined, RSA_FIRST, EC_FIRST]) {
          for (const [servername, shown] of [
            ['a.test', 'a.test'],
            ['b.test', 'b.test'],
            ['localhost', byDefault],
          ]) {
            const options = { ca: authority.cert, maxVersion, servername, ...(sigalgs ? { sigalgs } : {}) };
            const { commonName, socket } = await handshake(port, options);
            socket.destroy();
            expect([servername, sigalgs, commonName]).toEqual([servername, sigalgs, shown]);
          }
        }
      };
      await expectNames('before');
      const { generation } = attached;
      source.set({ web: store(after) });
      await waitFor(() => attached.generation > generation);
      await expectNames('after');
      const next = await issue('a.test', 'ec');
      const swapped = new Promise((resolve) => byName.on('swapped', resolve));
      source.set({ a: store(next) });
      await swapped;
      await expectNames('after');
    },
  );
});
