import { createSecureContext } from 'node:tls';
import { createKeyVaultEmulator, type KeyVaultEmulatorOptions } from 'hot-secrets/testing';
import { describe, expect, it } from 'vitest';
import { createAuthority } from '../support/certificates';
import { ask, clientOf, failureOf, startVault, tokenFor } from '../support/key-vault-clients';
import { createPfx } from '../support/pfx';

const VERSION = 'api-version=2025-07-01';

// The content lengths come from recordings of the service, and so do some of the names.
describe('the answers of the emulator, compared with recordings of the service', () => {
  it('challenges a request without a token', async () => {
    const vault = await startVault({ secrets: { 'api-key': 'first' } });
    const { status, headers, body } = await ask(vault, `${vault.vaultUrl}/secrets/api-key/?${VERSION}`);
    expect(status).toBe(401);
    expect(body).toEqual({
      error: { code: 'Unauthorized', message: 'AKV10000: Request is missing a Bearer or PoP token.' },
    });
    expect(headers).toMatchObject({
      'cache-control': 'no-cache',
      pragma: 'no-cache',
      expires: '-1',
      'content-length': '97',
      'content-type': 'application/json; charset=utf-8',
      date: expect.stringContaining('GMT'),
      'strict-transport-security': 'max-age=31536000;includeSubDomains',
      'www-authenticate': `Bearer authorization="https://login.microsoftonline.com/${vault.workloadIdentity.tenantId}", resource="https://vault.azure.net"`,
      'x-content-type-options': 'nosniff',
      'x-ms-client-request-id': 'of-the-client',
      'x-ms-keyvault-network-info': expect.stringMatching(/^conn_type=Ipv4;addr=127\.0\.0\.1;/),
      'x-ms-keyvault-region': 'westeurope',
      'x-ms-keyvault-service-version': expect.stringMatching(/^1\.9\./),
      'x-ms-request-id': expect.stringMatching(/^[0-9a-f-]{36}$/),
    });
  });

  it('returns a version with times in whole seconds, without attributes that it lacks', async () => {
    const vault = await startVault();
    const version = await vault.set('plain', 'value');
    const token = await tokenFor(vault);
    const { status, body } = await ask(vault, `${vault.vaultUrl}/secrets/plain/?${VERSION}`, { token });
    expect(status).toBe(200);
    const second = (body as { attributes: { created: number } }).attributes.created;
    expect(Math.abs(second - Date.now() / 1000)).toBeLessThan(5);
    expect(JSON.stringify(body)).toBe(
      JSON.stringify({
        value: 'value',
        id: `https://emulator.vault.azure.net/secrets/plain/${version}`,
        attributes: {
          enabled: true,
          created: second,
          updated: second,
          recoveryLevel: 'Recoverable+Purgeable',
          recoverableDays: 90,
        },
      }),
    );
  });

  it('answers 403 for a disabled secret and 404 for a missing one', async () => {
    const vault = await startVault();
    await vault.set('off', 'value', { enabled: false });
    const token = await tokenFor(vault);
    const disabled = await ask(vault, `${vault.vaultUrl}/secrets/off/?${VERSION}`, { token });
    expect(disabled).toMatchObject({
      status: 403,
      headers: { 'content-length': '132' },
      body: { error: { code: 'Forbidden', innererror: { code: 'SecretDisabled' } } },
    });
    const name = 'CRUDSecretName-cangetasecretNonExisting-';
    const missing = await ask(vault, `${vault.vaultUrl}/secrets/${name}/?${VERSION}`, { token });
    expect(missing).toMatchObject({
      status: 404,
      headers: { 'content-length': '337' },
      body: { error: { code: 'SecretNotFound', message: expect.stringContaining(`(name/id) ${name} was`) } },
    });
  });

  it('pages lists with a port in the link and with empty pages', async () => {
    const vault = await startVault({ secrets: { c: '3', a: '1', b: '2' }, pageSize: 2 });
    const token = await tokenFor(vault);
    const pages: { names: string[]; link: string | null }[] = [];
    let link: string | null = `${vault.vaultUrl}/secrets?${VERSION}`;
    while (link !== null) {
      const { body } = await ask(vault, link, { token });
      const page = body as { value: { id: string }[]; nextLink: string | null };
      link = page.nextLink;
      pages.push({ names: page.value.map(({ id }) => id), link });
    }
    const id = (name: string) => `https://emulator.vault.azure.net/secrets/${name}`;
    const next = expect.stringContaining(
      `https://emulator.vault.azure.net:443/secrets?${VERSION}&$skiptoken=`,
    );
    expect(pages).toEqual([
      { names: [id('a'), id('b')], link: next },
      { names: [], link: next },
      { names: [id('c')], link: null },
    ]);
    const one = await ask(vault, `${vault.vaultUrl}/secrets?${VERSION}&maxresults=1`, { token });
    expect((one.body as { value: unknown[] }).value).toHaveLength(1);
    const many = await ask(vault, `${vault.vaultUrl}/secrets?${VERSION}&maxresults=26`, { token });
    expect(many).toMatchObject({ status: 400, body: { error: { code: 'BadParameter' } } });
  });

  it('requires an api-version, and allows reads only', async () => {
    const vault = await startVault({ secrets: { a: '1' } });
    const token = await tokenFor(vault);
    const statusOf = async (query: string, method = 'GET') =>
      (await ask(vault, `${vault.vaultUrl}/secrets/a${query}`, { token, method })).status;
    expect(await statusOf('')).toBe(400);
    expect(await statusOf('?api-version=1.0')).toBe(400);
    expect(await statusOf('?api-version=7.4')).toBe(200);
    expect(await statusOf('?api-version=2026-01-01-preview')).toBe(200);
    expect(await statusOf(`?${VERSION}`, 'DELETE')).toBe(405);
  });
});

describe('the Azure client with the emulator', () => {
  it('returns every version to the real client, and the current one for a name in any letter case', async () => {
    const vault = await startVault();
    const client = clientOf(vault);
    const versions: string[] = [];
    for (const value of ['first', 'second', 'third', 'fourth']) {
      versions.push(await vault.set('Api-Key', value));
      expect(await client.getSecret('api-key')).toMatchObject({
        value,
        properties: { name: 'Api-Key', version: versions.at(-1), enabled: true },
      });
    }
    const [first = ''] = versions;
    expect((await client.getSecret('api-key', { version: first })).value).toBe('first');
    expect(new Set(versions).size).toBe(4);
    expect(await failureOf(client.getSecret('api-key', { version: '0'.repeat(32) }))).toMatchObject({
      code: 'SecretNotFound',
      status: 404,
    });
  });

  it('challenges the real client once, which requests one token', async () => {
    const vault = await startVault({ secrets: { a: '1' } });
    const client = clientOf(vault);
    for (let round = 0; round < 3; round += 1) await client.getSecret('a');
    expect(vault.requests.map(({ host, method, status }) => [host.split('.')[0], method, status])).toEqual([
      ['emulator', 'GET', 401],
      ['login', 'POST', 200],
      ['emulator', 'GET', 200],
      ['emulator', 'GET', 200],
      ['emulator', 'GET', 200],
    ]);
    expect(vault.requests[0]).toMatchObject({ path: '/secrets/a/', at: expect.any(Date) });
  });

  it('lists all secrets except deleted ones, across pages', async () => {
    const names = Array.from({ length: 60 }, (_, index) => `secret-${String(index).padStart(2, '0')}`);
    const vault = await startVault({ secrets: Object.fromEntries(names.map((name) => [name, 'value'])) });
    await vault.delete('secret-30');
    await vault.update('secret-31', { enabled: false });
    const client = clientOf(vault);
    const listed: [string, boolean | undefined][] = [];
    for await (const { name, enabled } of client.listPropertiesOfSecrets()) listed.push([name, enabled]);
    const expected = names.filter((name) => name !== 'secret-30').map((name) => [name, name !== 'secret-31']);
    expect(listed).toEqual(expected);
  });

  it('lists versions in the order of their ids, and none for a missing name', async () => {
    const vault = await startVault();
    const client = clientOf(vault);
    const versions: string[] = [];
    for (let round = 0; round < 30; round += 1) versions.push(await vault.set('a', String(round)));
    const listed: (string | undefined)[] = [];
    for await (const { version } of client.listPropertiesOfSecretVersions('a')) listed.push(version);
    expect(listed).toEqual(versions.sort());
    for await (const { version } of client.listPropertiesOfSecretVersions('nothing')) listed.push(version);
    expect(listed).toHaveLength(30);
  });

  it('returns attributes and tags, and values outside their dates', async () => {
    const vault = await startVault();
    const attributes = {
      contentType: 'text/plain',
      notBefore: new Date('2090-01-01T00:00:00Z'),
      expiresOn: new Date('2020-01-01T00:00:00Z'),
      tags: { user: 'app' },
    };
    await vault.set('a', 'value', attributes);
    expect(await clientOf(vault).getSecret('a')).toMatchObject({ value: 'value', properties: attributes });
  });

  it('refuses disabled and deleted secrets, and returns the same version once they are back', async () => {
    const vault = await startVault();
    const client = clientOf(vault);
    const version = await vault.set('a', 'value');
    await vault.update('a', { enabled: false });
    expect(await failureOf(client.getSecret('a'))).toEqual({
      name: 'RestError',
      code: 'Forbidden',
      status: 403,
      inner: 'SecretDisabled',
    });
    await vault.update('a', { enabled: true });
    expect((await client.getSecret('a')).properties.version).toBe(version);
    await vault.delete('a');
    expect(await failureOf(client.getSecret('a'))).toMatchObject({ code: 'SecretNotFound', status: 404 });
    await vault.recover('a');
    expect((await client.getSecret('a')).properties.version).toBe(version);
  });

  it('returns certificates as secrets: PEM as text, PFX as base64', async () => {
    const vault = await startVault();
    const { chain, key } = await (await createAuthority()).issue({
      notAfter: new Date('2099-01-01T00:00:00Z'),
    });
    const pem = await vault.setCertificate('web', key + chain);
    const client = clientOf(vault);
    expect(await client.getSecret('web')).toMatchObject({
      value: key + chain,
      properties: {
        version: pem,
        contentType: 'application/x-pem-file',
        managed: true,
        certificateKeyId: `https://emulator.vault.azure.net/keys/web/${pem}`,
        expiresOn: new Date('2099-01-01T00:00:00Z'),
      },
    });
    await vault.setCertificate('web', createPfx({ cert: chain, key }), { tags: { for: 'web' } });
    const { value = '', properties } = await client.getSecret('web');
    expect(properties).toMatchObject({
      contentType: 'application/x-pkcs12',
      managed: true,
      tags: { for: 'web' },
    });
    createSecureContext({ pfx: Buffer.from(value, 'base64'), passphrase: '' });
  });

  it('throttles the real client above the rate limit', async () => {
    const vault = await startVault({ secrets: { a: '1' }, rateLimit: { perTenSeconds: 2 } });
    const client = clientOf(vault);
    await client.getSecret('a');
    await client.getSecret('a');
    expect(await failureOf(client.getSecret('a'))).toEqual({
      name: 'RestError',
      code: 'Throttled',
      status: 429,
    });
  });
});

describe('the arguments of the emulator', () => {
  it.each([
    ['a value above the limit', 'OPTION_INVALID', 'a', 'x'.repeat(25 * 1024 + 1), {}],
    ['a name that the service refuses', 'NAME_INVALID', 'a_b', 'x', {}],
    [
      'too many tags',
      'OPTION_INVALID',
      'a',
      'x',
      { tags: Object.fromEntries([...Array(16).keys()].entries()) },
    ],
    ['an unknown attribute', 'OPTION_UNKNOWN', 'a', 'x', { expires: new Date() }],
    ['a date as text', 'OPTION_INVALID', 'a', 'x', { expiresOn: '2030-01-01' }],
  ])('refuses to set a secret with %s', async (_, code, name, value, attributes) => {
    const vault = await startVault();
    await expect(vault.set(name, value, attributes as object)).rejects.toMatchObject({ code });
  });

  it('refuses to change a missing secret, and an invalid certificate', async () => {
    const vault = await startVault();
    await expect(vault.update('a', {})).rejects.toMatchObject({ code: 'NAME_UNKNOWN' });
    await expect(vault.delete('a')).rejects.toMatchObject({ code: 'NAME_UNKNOWN' });
    await expect(vault.recover('a')).rejects.toMatchObject({ code: 'NAME_UNKNOWN' });
    await expect(vault.setCertificate('a', 'no PEM')).rejects.toMatchObject({ code: 'CERTIFICATE_INVALID' });
  });

  it.each([
    [{ name: '1st' }, 'OPTION_INVALID'],
    [{ pageSize: 26 }, 'OPTION_INVALID'],
    [{ tokenLifetimeMs: 10 }, 'OPTION_INVALID'],
    [{ pagesize: 5 }, 'OPTION_UNKNOWN'],
    [{ secrets: { a_b: 'x' } }, 'NAME_INVALID'],
    [{ secrets: 'x' }, 'OPTION_INVALID'],
    [{ rateLimit: {} }, 'OPTION_INVALID'],
    [{ rateLimit: { perSecond: 1 } }, 'OPTION_UNKNOWN'],
    ['a name', 'OPTION_INVALID'],
    [null, 'OPTION_INVALID'],
  ])('refuses to start the emulator with %o', async (options, code) => {
    const starting = createKeyVaultEmulator(options as KeyVaultEmulatorOptions);
    await expect(starting).rejects.toMatchObject({ code });
  });
});
