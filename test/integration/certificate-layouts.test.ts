import { memory, mountedFiles, SecretStore, secret } from 'hot-secrets';
import { createTestMount } from 'hot-secrets/testing';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Authority, createAuthority } from '../support/certificates';
import { handshake } from '../support/handshake';
import { record } from '../support/store-log';

let authority: Authority;
let other: Authority;

beforeAll(async () => {
  authority = await createAuthority('one');
  other = await createAuthority('other');
});

describe('a mount of Kubernetes', () => {
  it('follows the credential bundle of a pod certificate: key, leaf and chain in one file', async () => {
    const middle = await authority.intermediate();
    const issue = () => middle.issue({ hosts: ['localhost'], notAfter: new Date(Date.now() + 86_400_000) });
    const bundleOf = ({ chain, key }: { chain: string; key: string }) => ({
      'credentialbundle.pem': key + chain,
    });
    let issued = await issue();
    await using mount = await createTestMount(bundleOf(issued));
    await using store = await SecretStore.open({
      secrets: { pod: secret.tls('credentialbundle.pem') },
      sources: [mountedFiles(mount.path)],
    });
    const log = record(store);
    const announced: string[] = [];
    store.on('expiring', ({ name }) => announced.push(name));
    for (let round = 1; round <= 3; round += 1) {
      const { leaf, ...pair } = store.reveal('pod');
      expect([pair.key, pair.cert]).toEqual([issued.key, issued.chain]);
      const { error } = await handshake(pair, { ca: authority.cert, servername: 'localhost' });
      expect(error).toBeUndefined();
      issued = await issue();
      await mount.rotate(bundleOf(issued));
      await store.refresh();
    }
    expect([store.generation, log.codes(), announced]).toEqual([4, [], []]);
  });

  it('takes a trust bundle whose certificates are shuffled for the same one', async () => {
    const [a, b, c] = [authority.cert, other.cert, (await createAuthority('third')).cert];
    await using mount = await createTestMount({ 'trust.pem': a + b + c });
    await using store = await SecretStore.open({
      secrets: { trust: secret.tls({ ca: 'trust.pem' }) },
      sources: [mountedFiles(mount.path)],
    });
    for (const order of [c + a + b, b + c + a, c + b + a]) {
      await mount.rotate({ 'trust.pem': order });
      await store.refresh();
    }
    expect([store.generation, store.health().status]).toEqual([1, 'ok']);
    await mount.rotate({ 'trust.pem': c + a });
    await store.refresh();
    expect([store.generation, [...store.reveal('trust').ca]]).toEqual([2, [c, a]]);
  });

  it('returns no value for an optional trust bundle that is empty, until authorities are there', async () => {
    await using mount = await createTestMount({ 'trust.pem': '', token: 'x' });
    await using store = await SecretStore.open({
      secrets: { trust: secret.tls({ ca: 'trust.pem' }).optional(), token: 'token' },
      sources: [mountedFiles(mount.path)],
    });
    const log = record(store);
    expect([store.reveal('trust'), store.health().status]).toEqual([undefined, 'ok']);
    await mount.rotate({ 'trust.pem': authority.cert });
    await store.refresh();
    expect(store.reveal('trust')?.ca).toEqual([authority.cert]);
    expect(log.codes()).toEqual([]);
    await mount.rotate({ 'trust.pem': '\n' });
    await store.refresh();
    // Trust would become wider without it.
    expect(store.reveal('trust')?.ca).toEqual([authority.cert]);
    expect(log.codes()).toEqual(['SECRET_VANISHED']);
  });
});

describe('a volume of cert-manager', () => {
  it('follows tls.crt, tls.key and ca.crt of its CSI driver', async () => {
    const issue = () => authority.issue({ hosts: ['localhost'] });
    const filesOf = ({ chain, key }: { chain: string; key: string }) => ({
      'tls.crt': chain,
      'tls.key': key,
      'ca.crt': authority.cert,
    });
    await using mount = await createTestMount(filesOf(await issue()));
    await using store = await SecretStore.open({
      secrets: { web: secret.tls({ cert: 'tls.crt', key: 'tls.key', ca: 'ca.crt' }) },
      sources: [mountedFiles(mount.path)],
    });
    for (let round = 1; round <= 3; round += 1) {
      const next = await issue();
      await mount.rotate(filesOf(next));
      await store.refresh();
      expect(store.reveal('web')).toMatchObject({ cert: next.chain, key: next.key, ca: [authority.cert] });
    }
    expect([store.generation, store.health().status]).toEqual([4, 'ok']);
  });

  it.each([
    ['is empty, as of an ACME issuer', { 'ca.crt': '' }],
    ['has only white space', { 'ca.crt': ' \n' }],
    ['is missing', {}],
  ])('serves a pair whose optional ca.crt %s', async (_title, ca) => {
    const { chain, key } = await authority.issue();
    const source = memory({ 'tls.crt': chain, 'tls.key': key, ...ca });
    await using store = await SecretStore.open({
      secrets: {
        web: secret.tls({ cert: 'tls.crt', key: 'tls.key', ca: { alias: 'ca.crt', optional: true } }),
      },
      sources: [source],
    });
    const log = record(store);
    expect(store.health().status).toBe('ok');
    expect(store.reveal('web')).not.toHaveProperty('ca');
    source.set({ 'ca.crt': authority.cert });
    await store.refresh();
    expect(store.reveal('web').ca).toEqual([authority.cert]);
    for (const gone of ['', undefined]) {
      source.set({ 'ca.crt': gone });
      await store.refresh();
      expect(store.reveal('web').ca).toEqual([authority.cert]);
    }
    expect(log.codes()).toEqual(['SECRET_VANISHED']);
    source.set({ 'ca.crt': other.cert });
    await store.refresh();
    expect([store.reveal('web').ca, store.health().status]).toEqual([[other.cert], 'ok']);
  });

  it('refuses an empty ca.crt that is required, and says how to go without', async () => {
    const { chain, key } = await authority.issue();
    const opening = SecretStore.open({
      secrets: { web: secret.tls({ cert: 'tls.crt', key: 'tls.key', ca: 'ca.crt' }) },
      sources: [memory({ 'tls.crt': chain, 'tls.key': key, 'ca.crt': '' })],
    });
    await expect(opening).rejects.toMatchObject({
      code: 'VALUE_EMPTY',
      next: expect.stringContaining("ca: { alias: 'ca.crt', optional: true }"),
    });
  });
});

describe('the files of a SPIFFE helper', () => {
  it('keeps the bundle of each trust domain apart, and follows the SVID', async () => {
    const filesOf = async () => {
      const { chain, key } = await authority.issue({ hosts: ['localhost'] });
      return { 'svid.pem': chain, 'svid_key.pem': key };
    };
    const bundles = {
      'bundles/example.org.pem': authority.cert,
      'bundles/partner.test.pem': other.cert,
    };
    await using mount = await createTestMount({ ...(await filesOf()), ...bundles });
    await using store = await SecretStore.open({
      secrets: {
        svid: secret.tls({ cert: 'svid.pem', key: 'svid_key.pem' }),
        own: secret.tls({ ca: 'bundles/example.org.pem' }),
        partner: secret.tls({ ca: 'bundles/partner.test.pem' }),
      },
      sources: [mountedFiles(mount.path)],
    });
    for (let round = 1; round <= 3; round += 1) {
      await mount.rotate(await filesOf());
      await store.refresh();
      const { leaf, ...pair } = store.reveal('svid');
      const shakes = (ca: string[]) => handshake(pair, { ca: ca.join(''), servername: 'localhost' });
      expect((await shakes(store.reveal('own').ca)).error).toBeUndefined();
      expect((await shakes(store.reveal('partner').ca)).error).toBeDefined();
    }
    const third = await createAuthority('third');
    await mount.rotate({ 'bundles/partner.test.pem': third.cert });
    await store.refresh();
    expect([store.reveal('own').ca, store.reveal('partner').ca]).toEqual([[authority.cert], [third.cert]]);
  });
});

describe('two definitions', () => {
  it('shares authorities between definitions, in one generation', async () => {
    const [server, client] = [await authority.issue(), await authority.issue()];
    const source = memory({
      's.crt': server.chain,
      's.key': server.key,
      'c.crt': client.chain,
      'c.key': client.key,
      'ca.crt': authority.cert,
    });
    await using store = await SecretStore.open({
      secrets: {
        server: secret.tls({ cert: 's.crt', key: 's.key', ca: 'ca.crt' }),
        client: secret.tls({ cert: 'c.crt', key: 'c.key', ca: 'ca.crt' }),
        trust: secret.tls({ ca: 'ca.crt' }),
        again: secret.tls({ ca: { alias: 'ca-again', file: 'ca.crt' } }).optional(),
      },
      sources: [source],
    });
    source.set({ 'ca.crt': other.cert });
    await store.refresh();
    const snapshot = store.snapshot();
    expect(snapshot.generation).toBe(2);
    expect([snapshot.reveal('server').ca, snapshot.reveal('client').ca, snapshot.reveal('trust').ca]).toEqual(
      Array(3).fill([other.cert]),
    );
  });

  it.each([
    ['one certificate', { a: secret.tls('web'), b: secret.tls('web') }],
    ['authorities as text too', { a: secret.tls({ ca: 'ca.crt' }), b: 'ca.crt' }],
    [
      'one alias for two files',
      { a: secret.tls({ ca: 'ca.crt' }), b: secret.tls({ ca: { alias: 'ca.crt', file: 'other.crt' } }) },
    ],
  ])('refuses two definitions that share %s', async (_title, secrets) => {
    await expect(SecretStore.open({ secrets, sources: [memory({})] })).rejects.toMatchObject({
      code: 'NAME_DUPLICATE',
    });
  });

  it('shares a passphrase between definitions', async () => {
    const secrets = {
      a: secret.tls('a', { passphrase: 'pass' }).optional(),
      b: secret.key('b', { passphrase: 'pass' }).optional(),
    };
    await using store = await SecretStore.open({ secrets, sources: [memory({})] });
    expect(store.names()).toEqual([]);
  });
});
