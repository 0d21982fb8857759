import { memory, SecretStore, secret } from 'hot-secrets';
import { describe, expect, it } from 'vitest';
import { base64Around } from '../../support/encodings';

async function open() {
  return SecretStore.open({
    secrets: {
      dbLogin: secret.text('database-login', { env: ['PGLOGIN', 'DB_LOGIN'], file: 'db/login.txt' }),
      pin: secret.json('pin'),
      odd: 'odd',
    },
    sources: [memory({ 'database-login': 'dev', pin: '{"code":1234,"port":5432}', odd: 'a"&c' })],
  });
}

describe('redact, for values under six characters', () => {
  it('leaves short values alone in ordinary text', async () => {
    await using store = await open();
    for (const text of [
      'dev',
      'the dev server, a developer, 1234 and 12345',
      '{"env":"dev","port":5432,"count":1234}',
      'env=dev&stage: dev',
      'time: 12:34:5432',
      'https://dev.example.test/dev?env=dev',
      '://dev@host',
      'Basic dev-tools of dev',
    ]) {
      expect(store.redact(text)).toBe(text);
    }
  });

  it('masks a whole short value after any spelling of the name of its secret', async () => {
    await using store = await open();
    for (const key of [
      'dbLogin',
      'DB_LOGIN',
      'database-login',
      'databaseLogin',
      'PGLOGIN',
      'pg.login',
      'db/login.txt',
    ]) {
      expect(store.redact(`${key}=dev`)).toBe(`${key}=[secret dbLogin]`);
      expect(store.redact(`${key}: dev, more`)).toBe(`${key}: [secret dbLogin], more`);
      expect(store.redact(JSON.stringify({ [key]: 'dev' }))).toBe(`{"${key}":"[secret dbLogin]"}`);
    }
    for (const text of ['dbLogin=devel', 'dbLogin: "dev server"', 'dbLogin: dev.example', 'myDbLogins=dev']) {
      expect(store.redact(text)).toBe(text);
    }
  });

  it('masks a short value after a word such as "password" or "token", in each usual notation', async () => {
    await using store = await open();
    const masked = '[secret dbLogin]';
    for (const [text, expected] of [
      ['password=dev', `password=${masked}`],
      ['Password: dev.', `Password: ${masked}.`],
      ["{ passwd: 'dev' }", `{ passwd: '${masked}' }`],
      ['--api-key=dev --verbose', `--api-key=${masked} --verbose`],
      ['{"token" : "dev"}', `{"token" : "${masked}"}`],
      ['{"a":"{\\"secret\\":\\"dev\\"}"}', `{"a":"{\\"secret\\":\\"${masked}\\"}"}`],
      ['/path?x=1&access_token=dev&y=2', `/path?x=1&access_token=${masked}&y=2`],
      ['user[pwd]=dev', `user[pwd]=${masked}`],
      ['postgres://app:dev@db/app', `postgres://app:${masked}@db/app`],
      ['{"url":"redis:\\/\\/:dev@cache"}', `{"url":"redis:\\/\\/:${masked}@cache"}`],
      ['Authorization: Bearer dev', `Authorization: Bearer ${masked}`],
      ['{"x-header":"Bearer dev"}', `{"x-header":"Bearer ${masked}"}`],
      ['sent with Bearer dev', `sent with Bearer ${masked}`],
      [`Authorization: Basic ${base64Around('dev', 'app:', '')}`, `Authorization: Basic ${masked}`],
    ] as const) {
      expect(store.redact(text)).toBe(expected);
    }
  });

  it('masks short numbers, and short values with the escapes of JSON and URLs', async () => {
    await using store = await open();
    expect(store.redact('{"pin":1234,"auth":5432}')).toBe('{"pin":"[secret pin]","auth":"[secret pin]"}');
    expect(store.redact('{"password":"a\\"&c"}')).toBe('{"password":"[secret odd]"}');
    expect(store.redact('?password=a%22%26c&x=1')).toBe('?password=[secret odd]&x=1');
  });

  it('masks current and earlier short values after each rotation', async () => {
    const source = memory({ login: 'v0' });
    await using store = await SecretStore.open({ secrets: { login: 'login' }, sources: [source] });
    for (let round = 1; round <= 4; round += 1) {
      source.set({ login: `v${round}` });
      await store.refresh();
      for (let old = 0; old <= round; old += 1) {
        expect(store.redact(`login=v${old} v${old}`)).toBe(`login=[secret login] v${old}`);
      }
    }
  });
});
