import { generateKeyPairSync } from 'node:crypto';
import { inspect } from 'node:util';
import { memory, SecretStore, secret } from 'hot-secrets';
import { describe, expect, it } from 'vitest';

const key = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  publicKeyEncoding: { type: 'spki', format: 'pem' },
}).privateKey;
const SETTINGS = 'USER=app-of-orders\nPASSWORD=correct-horse-battery\nDATABASE=orders-of-2026';

/** A text of several lines as loggers and pretty printers write it. */
const LAYOUTS: Readonly<Record<string, (text: string) => string>> = {
  'as it is': (text) => text,
  'as JSON': (text) => JSON.stringify({ text }),
  'by util.inspect': (text) => inspect({ text }),
  'by util.inspect, in JSON': (text) => JSON.stringify({ msg: inspect({ deep: { text } }) }),
  indented: (text) => text.replace(/^/gm, '    '),
  'with a prefix in each line': (text) => text.replace(/^/gm, 'app-1  | '),
  'with CRLF': (text) => text.replaceAll('\n', '\r\n'),
  'in one line, with spaces': (text) => text.replaceAll('\n', ' '),
  'in one line, with the escapes of a variable': (text) => text.replaceAll('\n', '\\n'),
  'in one line, without separators': (text) => text.replaceAll('\n', ''),
  'with comments in between': (text) => text.replaceAll('\n', ' # comment\n'),
};

describe('redact, for values of several lines', () => {
  it.each(Object.entries(LAYOUTS))(
    'masks each line of a private key and of settings %s',
    async (_, layout) => {
      await using store = await SecretStore.open({
        secrets: {
          key: 'key',
          json: secret.json('json'),
          settings: 'settings',
          bytes: secret.bytes('bytes'),
          checked: secret.key('checked'),
          flat: 'flat',
        },
        sources: [
          memory({
            key: key.replace(/A/, 'A'),
            json: JSON.stringify({ private_key: key }),
            settings: SETTINGS,
            bytes: key,
            checked: key,
            flat: key.trim().replaceAll('\n', '\\n'),
          }),
        ],
      });
      const lines = key.split('\n').filter((line) => /^[\w+/=]{6,}$/.test(line));
      expect(lines.length).toBeGreaterThan(20);
      const masked = store.redact(layout(key));
      for (const line of lines) expect(masked).not.toContain(line);
      const settings = store.redact(layout(SETTINGS));
      expect(settings).not.toMatch(/correct-horse|app-of-orders|orders-of/);
    },
  );

  it.each([
    ['of text', 'pem', (stored: string) => stored],
    ['of text in one line', 'pem', (stored: string) => stored.trim().replaceAll('\n', ' ')],
    ['of text with escapes', 'pem', (stored: string) => stored.trim().replaceAll('\n', '\\n')],
    ['in JSON', 'json', (stored: string) => JSON.stringify({ a: [stored] })],
    ['of bytes', 'bytes', (stored: string) => stored],
  ] as const)(
    'masks the lines of a key %s, and leaves the labels of PEM readable',
    async (_, kind, stored) => {
      const definition = { pem: secret.text('it'), json: secret.json('it'), bytes: secret.bytes('it') }[kind];
      await using store = await SecretStore.open({
        secrets: { it: definition },
        sources: [memory({ it: stored(key) })],
      });
      const masked = store.redact(inspect({ key }));
      for (const line of key.split('\n').slice(1, -2)) expect(masked).not.toContain(line);
      expect(masked).toContain('-----BEGIN PRIVATE KEY-----');
      expect(store.redact('a PRIVATE KEY of another kind')).toBe('a PRIVATE KEY of another kind');
    },
  );
});

describe('redact, for parts of values', () => {
  it.each([
    [
      'postgres://app:s3cr%40t-pass@db.internal:5432/app',
      ['s3cr@t-pass', 's3cr%40t-pass', 'Basic YXBwOnMzY3JAdC1wYXNz'],
    ],
    ['mongodb+srv://app:s3cret-pass@a:1,b:2/app?retryWrites=true', ['s3cret-pass']],
    ['amqp://app:s3cr/t@pass@broker/vhost', ['s3cr/t@pass']],
    ['jdbc:postgresql://db/app?user=app&password=s3cret%2Bpass', ['s3cret+pass', 's3cret%2Bpass']],
    ['Server=db;User Id=app;Password=s3cret pass;Encrypt=true', ['s3cret pass']],
    ['Server=db;Uid=app;Pwd="s3cret;pass";', ['s3cret;pass']],
    ["host=db user=app password='s3cret pass' dbname=app", ['s3cret pass']],
    ['host=db user=app password=s3cretpass dbname=app', ['s3cretpass']],
    ['cache.example:6380,password=s3cretpass=,ssl=True', ['s3cretpass=']],
    [
      'DefaultEndpointsProtocol=https;AccountName=app;AccountKey=c2VjcmV0+Y2U/=;EndpointSuffix=x',
      ['c2VjcmV0+Y2U/='],
    ],
    ['Endpoint=sb://app/;SharedAccessKeyName=Root;SharedAccessKey=c2VjcmV0Y2U=', ['c2VjcmV0Y2U=']],
    ['https://app.example/container?sv=2026&sig=s3cret%2Fsig%3D', ['s3cret/sig=', 's3cret%2Fsig%3D']],
    ['{"user":"app","password":"s3cret-pass"}', ['s3cret-pass']],
    ['  s3cret-token \n', ['s3cret-token']],
  ])('masks what clients print of %s', async (stored, parts) => {
    await using store = await SecretStore.open({ secrets: { it: 'it' }, sources: [memory({ it: stored })] });
    for (const part of parts) {
      for (const line of [
        `{ user: 'app', password: '${part}' }`,
        JSON.stringify({ part }),
        `error near ${part} at 1`,
      ]) {
        const masked = store.redact(line);
        expect(masked).toContain('[secret it]');
        expect(masked.toLowerCase()).not.toMatch(/s3cr|c2vjcmv0|mzy3/);
      }
    }
    expect(store.redact('the app, its db and broker, Root of AccountName')).toBe(
      'the app, its db and broker, Root of AccountName',
    );
  });

  it('masks a password that is also the name of a user or a database only after a key', async () => {
    await using store = await SecretStore.open({
      secrets: { url: 'url' },
      sources: [memory({ url: 'postgres://postgres:postgres@localhost/postgres' })],
    });
    expect(store.redact('postgres is ready, password=postgres')).toBe(
      'postgres is ready, password=[secret url]',
    );
  });
});
