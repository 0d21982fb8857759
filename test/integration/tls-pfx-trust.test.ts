import https from 'node:https';
import { connect, createServer, type Server, type TLSSocket } from 'node:tls';
import { memory, SecretStore, secret } from 'hot-secrets';
import { createAgent } from 'hot-secrets/https';
import { attachSecureContext, createServerNames } from 'hot-secrets/tls';
import { createDispatcher } from 'hot-secrets/undici';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createAuthority } from '../support/certificates';
import { createPfx } from '../support/pfx';
import { listen } from '../support/tls-harness';

/** A pair whose PFX contains its root, as an export from Key Vault does, and an authority that has nothing to do with it. */
async function stage() {
  const [own, trusted] = await Promise.all([createAuthority('Own'), createAuthority('Trusted')]);
  const pair = await own.issue();
  const chain = pair.chain + own.cert;
  const pfx = createPfx({ cert: chain, key: pair.key, password: 'opens it' });
  const secrets = await SecretStore.open({
    secrets: {
      pem: secret.tls('pem'),
      pfx: secret.tls('pfx', { passphrase: 'pfx-passphrase' }),
      bytes: secret.bytes('bytes'),
      passphrase: secret.text('passphrase'),
      ca: secret.tls({ ca: 'ca' }),
    },
    sources: [
      memory({
        pem: chain + pair.key,
        pfx,
        bytes: pfx,
        passphrase: 'opens it',
        'pfx-passphrase': 'opens it',
        ca: trusted.cert,
      }),
    ],
  });
  onTestFinished(() => secrets.close());
  return { own, trusted, secrets };
}

type Stage = Awaited<ReturnType<typeof stage>>;
type Snapshot = ReturnType<Stage['secrets']['snapshot']>;

const pairs: [string, (s: Snapshot) => object][] = [
  ['a PEM', (s) => s.reveal('pem')],
  ['a PFX of secret.tls', (s) => s.reveal('pfx')],
  ['a raw PFX', (s) => ({ pfx: Buffer.from(s.reveal('bytes')), passphrase: s.reveal('passphrase') })],
  [
    'a raw PFX as an object',
    (s) => ({ pfx: [{ buf: Buffer.from(s.reveal('bytes')), passphrase: s.reveal('passphrase') }] }),
  ],
];

/** Resolves with whether the server let the client in. */
async function isLetIn(port: number, server: Server, options: object): Promise<boolean> {
  let letIn = false;
  const seen = (socket: TLSSocket) => {
    letIn = socket.authorized;
    socket.end();
  };
  server.once('secureConnection', seen);
  const socket = connect({ port, host: '127.0.0.1', servername: 'localhost', ...options });
  socket.on('error', () => {});
  socket.resume();
  await new Promise((resolve) => socket.once('close', resolve));
  server.off('secureConnection', seen);
  return letIn;
}

describe.each(pairs)('the trust of %s', (_what, pair) => {
  it.each(['localhost', 'name.test'])(
    'lets clients of the trusted authority alone in at %s',
    async (servername) => {
      const { own, trusted, secrets } = await stage();
      const recipe = (s: Snapshot) => ({ ...pair(s), ca: s.reveal('ca').ca });
      const names = createServerNames(secrets, { 'name.test': recipe });
      const server = createServer({ SNICallback: names.SNICallback, requestCert: true });
      attachSecureContext(server, secrets, recipe, { names });
      const port = await listen(server);
      const [stranger, client] = await Promise.all([own.issue(), trusted.issue()]);
      const options = { ca: own.cert, servername, checkServerIdentity: () => undefined };
      expect(await isLetIn(port, server, { ...options, cert: client.cert, key: client.key })).toBe(true);
      expect(await isLetIn(port, server, { ...options, cert: stranger.cert, key: stranger.key })).toBe(false);
    },
  );

  it('refuses servers of the authority of its own certificate', async () => {
    const { own, trusted, secrets } = await stage();
    const agent = createAgent(secrets, (s) => ({ ...pair(s), ca: s.reveal('ca').ca }));
    const dispatcher = createDispatcher(secrets, (s) => ({ connect: { ...pair(s), ca: s.reveal('ca').ca } }));
    onTestFinished(async () => {
      agent.destroy();
      await dispatcher.destroy();
    });
    const perRequest = createAgent(secrets, (s) => ({ ca: s.reveal('ca').ca }));
    onTestFinished(() => perRequest.destroy());
    for (const [authority, expected] of [
      [trusted, 200],
      [own, 'refused'],
    ] as const) {
      const { cert, key } = await authority.issue();
      const server = https.createServer({ cert, key, ca: own.cert, requestCert: true }, (request, response) =>
        response.writeHead((request.socket as TLSSocket).authorized ? 200 : 403).end(),
      );
      const port = await listen(server);
      const get = (options: https.RequestOptions) =>
        new Promise((resolve) => {
          https
            .get({ port, host: 'localhost', family: 4, ...options }, (response) => {
              response.resume();
              resolve(response.statusCode);
            })
            .on('error', () => resolve('refused'));
        });
      expect(await get({ agent })).toBe(expected);
      expect(await get({ agent: perRequest, ...pair(secrets.snapshot()) })).toBe(expected);
      const fetched = await dispatcher
        .request({ origin: `https://127.0.0.1:${port}`, path: '/', method: 'GET' })
        .then(
          ({ statusCode }) => statusCode,
          () => 'refused',
        );
      expect(fetched).toBe(expected);
    }
  });
});

describe('a raw PFX that cannot be opened', () => {
  it('refuses a raw PFX that cannot be opened as TLS_OPTIONS_INVALID, with the reason', async () => {
    const { secrets } = await stage();
    const recipe = (s: Snapshot) => ({ pfx: Buffer.from(s.reveal('bytes')), passphrase: 'wrong' });
    const expected = expect.objectContaining({
      code: 'TLS_OPTIONS_INVALID',
      message: expect.stringContaining('the passphrase does not decrypt the PFX'),
    });
    expect(() => attachSecureContext(createServer(), secrets, recipe)).toThrow(expected);
    expect(() => createAgent(secrets, recipe)).toThrow(expected);
  });
});
