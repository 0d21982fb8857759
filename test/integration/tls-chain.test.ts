import { createServer } from 'node:tls';
import { memory, SecretStore, secret } from 'hot-secrets';
import { createAgent } from 'hot-secrets/https';
import { attachSecureContext, createServerNames } from 'hot-secrets/tls';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type Authority, createAuthority, type Issued, SECP256K1 } from '../support/certificates';
import { createPfx } from '../support/pfx';
import { listen, served } from '../support/tls-harness';
import { waitFor } from '../support/wait-for';

const yesterday = new Date(Date.now() - 86_400_000);

interface Authorities {
  readonly root: Authority;
  readonly middle: Authority;
}

/** What to store: the key, the leaf and the rest of the file. */
const stored = ({ key, cert }: Pick<Issued, 'key' | 'cert'>, ...chain: Pick<Authority, 'cert'>[]) =>
  [key, cert, ...chain.map((one) => one.cert)].join('');

type MakePair = (authorities: Authorities) => Promise<string>;

const bad: [string, string, MakePair][] = [
  [
    'whose intermediate has expired',
    'CERTIFICATE_EXPIRED',
    async ({ root, middle }) => {
      const old = await root.intermediate(undefined, { renews: middle, notAfter: yesterday });
      return stored(await middle.issue(), old);
    },
  ],
  [
    'whose second intermediate has expired',
    'CERTIFICATE_EXPIRED',
    async ({ root }) => {
      const upper = await root.intermediate('Upper', { notAfter: yesterday });
      const lower = await upper.intermediate('Lower');
      return stored(await lower.issue(), lower, upper);
    },
  ],
  [
    'whose intermediate has another key',
    'CERTIFICATE_CHAIN_BROKEN',
    async ({ root, middle }) => stored(await middle.issue(), await root.intermediate()),
  ],
  [
    'whose intermediate is no authority',
    'CERTIFICATE_CHAIN_BROKEN',
    async ({ root }) => {
      const lower = await root.intermediate('Lower', { isAuthority: false });
      return stored(await lower.issue(), lower);
    },
  ],
  [
    'whose path is longer than an intermediate allows',
    'CERTIFICATE_CHAIN_BROKEN',
    async ({ root }) => {
      const upper = await root.intermediate('Upper', { pathLength: 0 });
      const lower = await upper.intermediate('Lower');
      return stored(await lower.issue(), lower, upper);
    },
  ],
  [
    'without the intermediate that the one before had',
    'CERTIFICATE_CHAIN_INCOMPLETE',
    async ({ middle }) => stored(await middle.issue()),
  ],
  [
    'for clients alone',
    'CERTIFICATE_PURPOSE_WRONG',
    async ({ middle }) => stored(await middle.issue({ purposes: ['clientAuth'] }), middle),
  ],
  ['on the curve secp256k1', 'CERTIFICATE_KEY_UNSUPPORTED', async () => SECP256K1.key + SECP256K1.cert],
];

const good: [string, MakePair][] = [
  ['with its intermediate', async ({ middle }) => stored(await middle.issue({ commonName: 'next' }), middle)],
  [
    'whose intermediate is there twice, once expired',
    async ({ root, middle }) => {
      const old = await root.intermediate(undefined, { renews: middle, notAfter: yesterday });
      return stored(await middle.issue({ commonName: 'next' }), old, middle);
    },
  ],
  [
    'with its root too',
    async ({ root, middle }) => stored(await middle.issue({ commonName: 'next' }), middle, root),
  ],
  [
    'with a certificate that has nothing to do with it',
    async ({ middle }) =>
      stored(await middle.issue({ commonName: 'next' }), middle, await createAuthority('Stranger')),
  ],
  [
    'for servers alone',
    async ({ middle }) =>
      stored(await middle.issue({ commonName: 'next', purposes: ['serverAuth'] }), middle),
  ],
  [
    'with an RSA key',
    async ({ middle }) => stored(await middle.issue({ commonName: 'next', key: 'rsa' }), middle),
  ],
];

async function stage(first: MakePair, options: object = {}) {
  const root = await createAuthority('Root');
  const middle = await root.intermediate();
  const authorities = { root, middle };
  const source = memory({ web: await first(authorities) });
  const secrets = await SecretStore.open({
    secrets: { web: secret.tls('web') },
    sources: [source],
  });
  onTestFinished(() => secrets.close());
  const problems: string[] = [];
  secrets.on('error', ({ code }) => problems.push(code));
  const recipe = (s: ReturnType<typeof secrets.snapshot>) => s.reveal('web');
  const names = createServerNames(secrets, { 'name.test': recipe }, options);
  const server = createServer({ SNICallback: names.SNICallback }, (socket) =>
    socket.on('error', () => {}).resume(),
  );
  const attached = attachSecureContext(server, secrets, recipe, { names, ...options });
  const port = await listen(server);
  const show = (servername: string) =>
    served(port, { ca: root.cert, servername, checkServerIdentity: () => undefined });
  return { authorities, source, secrets, problems, attached, show };
}

const first: MakePair = async ({ middle }) => stored(await middle.issue({ commonName: 'first' }), middle);

describe('a new certificate', () => {
  it.each(bad)('keeps serving the old certificate after a new one %s', async (_what, code, make) => {
    const { authorities, source, secrets, problems, show } = await stage(first);
    source.set({ web: await make(authorities) });
    await secrets.refresh();
    await waitFor(() => problems.includes(code));
    for (const servername of ['localhost', 'name.test']) expect(await show(servername)).toBe('first');
    expect(new Set(problems)).toEqual(new Set([code]));
    source.set({ web: stored(await authorities.middle.issue({ commonName: 'mended' }), authorities.middle) });
    await secrets.refresh();
    for (const servername of ['localhost', 'name.test']) {
      await waitFor(async () => (await show(servername)) === 'mended');
    }
  });

  it.each(good)('serves a new certificate %s', async (_what, make) => {
    const { authorities, source, secrets, show } = await stage(first);
    source.set({ web: await make(authorities) });
    await secrets.refresh();
    for (const servername of ['localhost', 'name.test']) {
      await waitFor(async () => (await show(servername)) === 'next');
    }
  });

  it('serves a new certificate without intermediates when the old one had none, or when shorterChain accepts it', async () => {
    const alone: MakePair = async ({ root }) => stored(await root.issue({ commonName: 'first' }));
    const next: MakePair = async ({ root }) => stored(await root.issue({ commonName: 'next' }));
    for (const [before, options] of [
      [alone, {}],
      [first, { shorterChain: 'accept' }],
    ] as const) {
      const { authorities, source, secrets, show } = await stage(before, options);
      source.set({ web: await next(authorities) });
      await secrets.refresh();
      for (const servername of ['localhost', 'name.test']) {
        await waitFor(async () => (await show(servername)) === 'next');
      }
    }
  });
});

describe('a first certificate', () => {
  it('serves a first certificate without its intermediate, which clients may have', async () => {
    const { show, authorities } = await stage(async ({ middle }) => stored(await middle.issue()));
    expect(authorities.middle.cert).not.toBe('');
    await expect(show('localhost')).rejects.toThrow('unable to verify the first certificate');
  });

  it.each(bad.filter(([, code]) => code !== 'CERTIFICATE_CHAIN_INCOMPLETE'))(
    'refuses a first certificate %s',
    async (_what, code, make) => {
      await expect(stage(make)).rejects.toMatchObject({ code });
    },
  );

  it('refuses a PFX with a key on secp256k1 for the same reason as a PEM', async () => {
    const { key, cert } = SECP256K1;
    const source = memory({ web: createPfx({ cert, key }) });
    const opened = SecretStore.open({ secrets: { web: secret.tls('web') }, sources: [source] });
    await expect(opened).rejects.toMatchObject({ code: 'CERTIFICATE_KEY_UNSUPPORTED' });
  });

  it("accepts an expired intermediate with expired: 'warn', and reports degraded health", async () => {
    const root = await createAuthority();
    const middle = await root.intermediate(undefined, { notAfter: yesterday });
    const source = memory({ web: stored(await middle.issue(), middle) });
    const secrets = await SecretStore.open({
      secrets: { web: secret.tls('web', { expired: 'warn' }) },
      sources: [source],
    });
    onTestFinished(() => secrets.close());
    expect(secrets.health()).toMatchObject({ status: 'degraded' });
  });
});

describe('a client certificate', () => {
  it('refuses a client certificate of an agent that is for servers alone', async () => {
    const authority = await createAuthority();
    const [server, client] = await Promise.all([
      authority.issue({ purposes: ['serverAuth'] }),
      authority.issue({ purposes: ['clientAuth'] }),
    ]);
    const source = memory({ pair: stored(client) });
    const secrets = await SecretStore.open({ secrets: { pair: secret.tls('pair') }, sources: [source] });
    onTestFinished(() => secrets.close());
    const agent = createAgent(secrets, (s) => s.reveal('pair'));
    onTestFinished(() => agent.destroy());
    const rejected = new Promise<string>((resolve) =>
      agent.rotation.on('rejected', ({ error }) => resolve((error as { code?: string }).code ?? '')),
    );
    source.set({ pair: stored(server) });
    await secrets.refresh();
    expect(await rejected).toBe('CERTIFICATE_PURPOSE_WRONG');
  });
});
