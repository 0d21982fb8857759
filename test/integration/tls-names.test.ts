import { createServer } from 'node:tls';
import { inspect } from 'node:util';
import { memory, SecretStore, secret } from 'hot-secrets';
import { attachSecureContext, createServerNames } from 'hot-secrets/tls';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createAuthority, type Issued } from '../support/certificates';
import {
  connectWithoutHandshake,
  files,
  handshake,
  linesOf,
  listen,
  served,
  tlsHarness,
} from '../support/tls-harness';
import { waitFor } from '../support/wait-for';

const anyHost = { checkServerIdentity: () => undefined };

/** A server with a default, the name `api.test` and the wildcard `*.wild.test`. */
async function harness() {
  const base = await tlsHarness();
  const { secrets, authority } = base;
  const names = createServerNames(secrets, {
    'api.test': (s) => s.reveal('api'),
    '*.Wild.test': (s) => s.reveal('api'),
  });
  const server = createServer({ SNICallback: names.SNICallback }, (socket) =>
    socket.on('error', () => {}).pipe(socket),
  );
  const context = attachSecureContext(server, secrets, (s) => s.reveal('web'), { names });
  const port = await listen(server);
  const to = (servername: string) => ({ ...anyHost, ca: authority.cert, servername });
  const ask = (servername: string) => served(port, to(servername));
  return { ...base, names, server, context, port, to, ask };
}

/** Two names whose pairs are plain texts, so that only the server validates them. */
async function namesOfTexts() {
  const authority = await createAuthority();
  const issue = (commonName: string) => authority.issue({ commonName });
  const pair = (name: string, { cert, key }: Issued) => ({ [`${name}.crt`]: cert, [`${name}.key`]: key });
  const [a, b] = await Promise.all([issue('a-1'), issue('b-1')]);
  const source = memory({ ...pair('a', a), ...pair('b', b), fixed: 'x' });
  const secrets = await SecretStore.open({
    secrets: {
      aCert: secret.text('a.crt'),
      aKey: secret.text('a.key'),
      bCert: secret.text('b.crt'),
      bKey: secret.text('b.key'),
      fixed: 'fixed',
    },
    sources: [source],
  });
  const runs = { a: 0, b: 0, web: 0 };
  const names = createServerNames(secrets, {
    'a.test': (s) => {
      runs.a += 1;
      return { cert: s.reveal('aCert'), key: s.reveal('aKey') };
    },
    'b.test': (s) => {
      runs.b += 1;
      return { cert: s.reveal('bCert'), key: s.reveal('bKey') };
    },
  });
  const server = createServer({ SNICallback: names.SNICallback }, (socket) =>
    socket.on('error', () => {}).resume(),
  );
  attachSecureContext(
    server,
    secrets,
    (s) => {
      runs.web += 1;
      // A recipe has to read a secret. This one never changes.
      s.has('fixed');
      return { cert: b.cert, key: b.key };
    },
    { names },
  );
  onTestFinished(() => secrets.close());
  const port = await listen(server);
  const ask = (servername: string) => served(port, { ...anyHost, ca: authority.cert, servername });
  return { issue, pair, source, names, runs, ask };
}

describe('the names of createServerNames()', () => {
  it('prefers exact names to wildcards of one label, and those to the default, through rotations', async () => {
    const { names, ask, rotate } = await harness();
    const all = (...hosts: string[]) => Promise.all(hosts.map(ask));
    expect(names.names()).toEqual(['*.wild.test', 'api.test']);
    expect(await all('api.test', 'API.Test', 'a.wild.test', 'A.WILD.test')).toEqual(Array(4).fill('api-1'));
    expect(await all('localhost', 'other.test', 'wild.test', 'a.b.wild.test', 'xapi.test')).toEqual(
      Array(5).fill('web-1'),
    );
    names.set('exact.wild.test', (s) => s.reveal('web'));
    expect(await all('exact.wild.test', 'other.wild.test')).toEqual(['web-1', 'api-1']);
    for (const round of [2, 3, 4]) {
      await rotate('api', `api-${round}`);
      await waitFor(async () => (await all('api.test', 'a.wild.test')).every((cn) => cn === `api-${round}`));
      expect(await ask('localhost')).toBe('web-1');
    }
  });

  it('swaps server names and the default in one generation', async () => {
    const { names, context, ask, mount, issue } = await harness();
    const rotated: string[] = [];
    context.on('swapped', () => rotated.push('default'));
    names.on('swapped', ({ name }) => rotated.push(name));
    for (const round of [2, 3, 4]) {
      const [web, api] = await Promise.all([issue(`web-${round}`), issue(`api-${round}`)]);
      await mount.rotate({ ...files('web', web), ...files('api', api) });
      await waitFor(() => rotated.length === 3);
      rotated.length = 0;
      expect(await Promise.all(['localhost', 'api.test', 'a.wild.test'].map(ask))).toEqual([
        `web-${round}`,
        `api-${round}`,
        `api-${round}`,
      ]);
      expect(context.staleCount).toBe(0);
    }
  });

  it('keeps the old pair of a server name whose new one is invalid, and swaps the others', async () => {
    const { names, source, pair, issue, ask, runs } = await namesOfTexts();
    const rejected: unknown[] = [];
    const rotated: string[] = [];
    names.on('rejected', (event) => rejected.push(event));
    names.on('swapped', ({ name }) => rotated.push(name));
    for (const round of [1, 2, 3]) {
      const [bad, other] = [await issue('bad'), await issue('other')];
      source.set({ 'a.crt': bad.cert, 'a.key': other.key, ...pair('b', await issue(`b-${round + 1}`)) });
      await waitFor(
        () => rejected.length === round && rotated.filter((name) => name === 'b.test').length === round,
      );
      expect(await ask('a.test')).toBe(`a-${round}`);
      expect(await ask('b.test')).toBe(`b-${round + 1}`);
      expect(rejected.at(-1)).toMatchObject({ name: 'a.test', error: { code: 'TLS_OPTIONS_INVALID' } });
      const shown = inspect([rejected, names], { depth: 20, showHidden: true });
      for (const line of [...linesOf(bad.key), ...linesOf(other.key)]) expect(shown).not.toContain(line);

      source.set(pair('a', await issue(`a-${round + 1}`)));
      await waitFor(async () => (await ask('a.test')) === `a-${round + 1}`);
    }
    // Each recipe runs once per rotation of its secrets, never for the other name.
    expect(runs).toMatchObject({ b: 4, web: 1 });
  });

  it('adds, replaces and deletes server names at run time', async () => {
    const { names, ask } = await harness();
    for (const round of [1, 2, 3]) {
      names.set(`New-${round}.test`, (s) => s.reveal('api'));
      expect(await ask(`new-${round}.test`)).toBe('api-1');
      names.set(`new-${round}.test`, (s) => s.reveal('web'));
      expect(await ask(`new-${round}.test`)).toBe('web-1');
      names.set(`new-${round}.test`, (s) => s.reveal('api'));
      expect(names.delete(`new-${round}.TEST`)).toBe(true);
      expect(names.delete(`new-${round}.test`)).toBe(false);
      expect(await ask(`new-${round}.test`)).toBe('web-1');
    }
    expect(names.names()).toEqual(['*.wild.test', 'api.test']);
  });

  it('follows rotations for server names that were set or replaced later', async () => {
    const { names, ask, rotate } = await harness();
    names.set('late.test', (s) => s.reveal('web'));
    names.set('late.test', (s) => s.reveal('api'));
    const rotated: string[] = [];
    names.on('swapped', ({ name }) => rotated.push(name));
    for (const round of [2, 3, 4]) {
      await rotate('web', `web-${round}`);
      await rotate('api', `api-${round}`);
      await waitFor(async () => (await ask('late.test')) === `api-${round}`);
    }
    expect(rotated.filter((name) => name === 'late.test')).toHaveLength(3);
  });

  it('refuses invalid server names and recipes, and keeps the names unchanged', async () => {
    const { names, ask, secrets } = await harness();
    const bad = [
      '',
      '*',
      '*.',
      'a..b',
      '10.0.0.1',
      '::1',
      '-a.test',
      'a.test.',
      'x*.test',
      'a.*.test',
      'ö.test',
    ];
    for (const name of [...bad, `${'a'.repeat(64)}.test`, `${'a.'.repeat(127)}test`]) {
      const refusal = expect.objectContaining({ code: 'OPTION_INVALID' });
      expect(() => names.set(name, (s) => s.reveal('web')), name).toThrow(refusal);
      expect(() => createServerNames(secrets, { [name]: (s) => s.reveal('web') }), name).toThrow(refusal);
    }
    const none = (s: { has(name: string): boolean }) => (s.has('api') ? {} : {});
    const twice = { 'Api.test': none, 'api.test': none };
    expect(() => createServerNames(secrets, twice)).toThrow(
      expect.objectContaining({ code: 'CERTIFICATE_MISSING' }),
    );
    expect(() =>
      createServerNames(secrets, { 'Api.test': (s) => s.reveal('api'), 'api.test': (s) => s.reveal('api') }),
    ).toThrow(expect.objectContaining({ code: 'OPTION_INVALID' }));
    expect(() => createServerNames(secrets, {}, { drainTimeout: 1 } as never)).toThrow(
      expect.objectContaining({ code: 'OPTION_UNKNOWN' }),
    );
    expect(() => createServerNames(secrets, {}, { drainTimeoutMs: -1 })).toThrow(
      expect.objectContaining({ code: 'OPTION_INVALID' }),
    );
    const mixed = () =>
      names.set('api.test', (s) => ({
        cert: s.reveal('web').cert as string,
        key: s.reveal('api').key as string,
      }));
    expect(mixed).toThrow(expect.objectContaining({ code: 'TLS_OPTIONS_INVALID' }));
    expect(await ask('api.test')).toBe('api-1');
    expect(names.names()).toEqual(['*.wild.test', 'api.test']);
  });

  it('verifies clients of a server name against the ca of its recipe', async () => {
    const { secrets, authority, issue } = await tlsHarness();
    const { cert, key } = await issue('client');
    const names = createServerNames(secrets, {
      'api.test': (s) => ({ ...s.reveal('api'), ca: authority.cert }),
      'other.test': (s) => s.reveal('api'),
    });
    const options = { ca: authority.cert, requestCert: true, rejectUnauthorized: false };
    const server = createServer({ ...options, SNICallback: names.SNICallback }, (socket) =>
      socket.on('error', () => {}).resume(),
    );
    attachSecureContext(server, secrets, (s) => s.reveal('web'), { names });
    const authorized: boolean[] = [];
    server.on('secureConnection', (socket) => authorized.push(socket.authorized));
    const port = await listen(server);
    for (const servername of ['localhost', 'api.test', 'other.test']) {
      await handshake(port, { ca: authority.cert, cert, key, servername });
    }
    await waitFor(() => authorized.length === 3);
    expect(authorized).toEqual([true, true, false]);
  });

  it('counts old connections as stale only for the server name that rotated or was deleted', async () => {
    const { names, context, port, to, rotate } = await harness();
    const rotations = { web: 0, api: 0 };
    context.on('swapped', () => {
      rotations.web += 1;
    });
    names.on('swapped', ({ name }) => {
      if (name === 'api.test') rotations.api += 1;
    });
    const old = await Promise.all(['api.test', 'localhost'].map((host) => handshake(port, to(host))));
    const early = await connectWithoutHandshake(port);
    expect(context.staleCount).toBe(0);
    for (const round of [1, 2, 3]) {
      await rotate('api', `api-${round + 1}`);
      await waitFor(() => rotations.api === round);
      expect(context.staleCount).toBe(round);
      old.push(await handshake(port, to('api.test')));
      expect(context.staleCount).toBe(round);
    }
    // This connection is older than the swap, so it counts as stale.
    await early.secure(to('api.test'));
    await waitFor(() => context.staleCount === 4);
    await rotate('web', 'web-2');
    await waitFor(() => rotations.web === 1);
    expect(context.staleCount).toBe(5);
    names.delete('api.test');
    expect(context.staleCount).toBe(6);
    for (const { socket } of old) socket.destroy();
    await waitFor(() => context.staleCount === 1);
  });

  it('closes server names with their last attached server, which keeps its pairs', async () => {
    const { secrets, names, context, ask, rotate } = await harness();
    const second = createServer({ SNICallback: names.SNICallback });
    const other = attachSecureContext(second, secrets, (s) => s.reveal('web'), { names });
    await context.close();
    await rotate('api', 'api-2');
    await waitFor(async () => (await ask('api.test')) === 'api-2');
    await other.close();
    const { generation } = secrets;
    await rotate('api', 'api-3');
    await waitFor(() => secrets.generation > generation);
    expect(await ask('api.test')).toBe('api-2');
    expect(() => names.set('late.test', (s) => s.reveal('api'))).toThrow(
      expect.objectContaining({ code: 'ROTATION_CLOSED' }),
    );
    expect(names.close()).toBe(names.close());
    await names[Symbol.asyncDispose]();
  });
});
