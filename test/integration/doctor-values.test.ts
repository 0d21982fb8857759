import { secret } from 'hot-secrets';
import { type DiagnoseOptions, describeFinding, type Finding } from 'hot-secrets/doctor';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { complaints, examine, mountOf } from '../support/doctor-stage';

const VALUE = 'Marked-Value-7c1f';
const base64 = (value: string | Buffer) => Buffer.from(value).toString('base64');

type Row = readonly [set: string, stored: string | Buffer, code: string, next: RegExp];

/** In a mount whose secrets nobody declared: each file is a text secret. */
const BROKEN_TEXT: readonly Row[] = [
  ['ends with two newlines', `${VALUE}\n\n`, 'VALUE_SUSPECT', /stored text/],
  ['ends with a newline of Windows and another one', `${VALUE}\r\n\n`, 'VALUE_SUSPECT', /stored text/],
  ['has lines of Windows', `${VALUE}\r\n${VALUE}`, 'VALUE_CRLF', /LF/],
  ['has a byte order mark in the middle', `${VALUE}\ufeff${VALUE}`, 'VALUE_SUSPECT', /stored text/],
  ['is UTF-16 with a mark', Buffer.from(`\ufeff${VALUE}`, 'utf16le'), 'VALUE_NOT_UTF8', /utf8NoBOM/],
  ['is UTF-16 without a mark', Buffer.from(VALUE, 'utf16le'), 'VALUE_NOT_TEXT', /utf8NoBOM/],
  ['is UTF-16 in the other order', Buffer.from(VALUE, 'utf16le').swap16(), 'VALUE_NOT_TEXT', /utf8NoBOM/],
  ['ends with NUL', `${VALUE}\0`, 'VALUE_NOT_TEXT', /text alone/],
  ['contains NUL', `${VALUE}\0${VALUE}`, 'VALUE_NOT_TEXT', /text alone/],
  ['stands in double quotes', `"${VALUE}"`, 'VALUE_SUSPECT', /stored text/],
  ['stands in single quotes', `'${VALUE}'\n`, 'VALUE_SUSPECT', /stored text/],
  ['is empty', '', 'VALUE_EMPTY', /Write a value/],
  ['is only a newline', '\n', 'VALUE_EMPTY', /Write a value/],
  ['is only spaces', '   ', 'VALUE_SUSPECT', /stored text/],
  ['begins with a space', ` ${VALUE}`, 'VALUE_SUSPECT', /stored text/],
  ['ends with a space', `${VALUE} \n`, 'VALUE_SUSPECT', /stored text/],
  ['is base64 of its text', base64(VALUE), 'VALUE_BASE64', /stringData/],
  ['is base64 of a text with a newline', base64(`${VALUE}\n`), 'VALUE_BASE64', /stringData/],
  ['is base64 with a newline', `${base64(VALUE)}\n`, 'VALUE_BASE64', /stringData/],
  ['is base64 in lines', base64(VALUE.repeat(6)).replace(/.{76}/g, '$&\n'), 'VALUE_BASE64', /stringData/],
  ['is base64 of PEM', base64(`-----BEGIN PRIVATE KEY-----\n${VALUE}`), 'VALUE_BASE64', /PEM itself/],
  ['is not UTF-8', Buffer.from([0xc3, 0x28, 0x61]), 'VALUE_NOT_UTF8', /secret\.bytes/],
  ['is a placeholder', 'CHANGEME', 'VALUE_PLACEHOLDER', /real value/],
  ['is a placeholder in brackets', '<your password>', 'VALUE_SUSPECT', /stored text/],
  ['is what a program printed for no value', 'undefined\n', 'VALUE_UNRESOLVED', /had no value/],
  ...Object.entries({
    'App Service': `@Microsoft.KeyVault(SecretUri=https://shop.vault.azure.net/secrets/${VALUE}/)`,
    'App Service in short': `@Microsoft.KeyVault(VaultName=shop;SecretName=${VALUE})`,
    'App Configuration': `{"uri":"https://shop.vault.azure.net/secrets/${VALUE}"}`,
    'a client of Key Vault': `https://shop.vault.azure.net/secrets/${VALUE}`,
    akv2k8s: `${VALUE}@azurekeyvault`,
    'Container Apps': `secretref:${VALUE}`,
    'Bank-Vaults': `vault:secret/data/shop#${VALUE}`,
    'the Argo CD plugin': `<path:secret/data/shop#${VALUE}>`,
    vals: `ref+azurekeyvault://shop/${VALUE}`,
    '1Password': `op://shop/${VALUE}/password`,
    'Secret Manager': `projects/shop/secrets/${VALUE}/versions/latest`,
    AWS: `arn:aws:secretsmanager:eu-west-1:123456789012:secret:${VALUE}`,
    CloudFormation: `{{resolve:secretsmanager:${VALUE}}}`,
    sops: `ENC[AES256_GCM,data:${VALUE},iv:a,tag:b,type:str]`,
    Ansible: `$ANSIBLE_VAULT;1.1;AES256\n${VALUE}`,
    Helm: `{{ .Values.${VALUE} }}`,
    'a shell': `\${MARKED_VALUE}`,
    'a shell with a default': `\${PASSWORD:-${VALUE}}`,
    'Azure Pipelines': '$(DB_PASSWORD)',
    'Replace Tokens': `#{DbPassword}#`,
    'GitHub Actions': `\${{ secrets.DB_PASSWORD }}`,
    'Git LFS': `version https://git-lfs.github.com/spec/v1\noid sha256:${VALUE}\nsize 12`,
  }).map(
    ([of, stored]): Row => [`is a reference for ${of}`, stored, 'VALUE_UNRESOLVED', /unresolved: 'accept'/],
  ),
  ...Object.entries({
    'a shell': `postgres://app:\${DB_PASSWORD}@${VALUE}/app`,
    Kubernetes: `Server=${VALUE};Password=$(DB_PASSWORD)`,
    Helm: `redis://:{{ .Values.password }}@${VALUE}`,
    'the Argo CD plugin': `redis://:<path:secret/data/shop#password>@${VALUE}`,
    'App Service': `Server=${VALUE};Password=@Microsoft.KeyVault(VaultName=shop;SecretName=db)`,
  }).map(
    ([of, stored]): Row => [
      `has a reference for ${of} in it`,
      stored,
      'VALUE_PART_UNRESOLVED',
      /put together/,
    ],
  ),
];

const about = (stored: string | Buffer) => ({ values: [VALUE], stored });

async function first(stored: string | Buffer, options: DiagnoseOptions = {}) {
  const { path } = await mountOf({ password: stored });
  return examine({ values: about(stored).values, options: { mounts: [path], ...options } });
}

const textOf = (finding: Finding | undefined) => describeFinding(finding as Finding);

describe('the doctor on a broken value', () => {
  it.each(BROKEN_TEXT)('names the fault and its fix when the value %s', async (_set, stored, code, next) => {
    const diagnosis = await first(stored);
    expect(complaints(diagnosis)).toEqual([code]);
    const [finding] = diagnosis.findings;
    expect(finding?.secret).toBe('password');
    expect(textOf(finding).next).toMatch(next);
  });

  it.each([
    ['a newline that a store drops', `${VALUE}\n`, ['VALUE_TRAILING_NEWLINE']],
    ['a newline of Windows that a store drops', `${VALUE}\r\n`, ['VALUE_TRAILING_NEWLINE']],
  ])('notes only %s', async (_set, stored, codes) => {
    const diagnosis = await first(stored);
    expect(complaints(diagnosis)).toEqual([]);
    expect(diagnosis.findings.map(({ code }) => code)).toEqual(expect.arrayContaining(codes));
  });
});

describe('the doctor on a declared secret', () => {
  const declared = (definition: object, stored: string | Buffer) =>
    first(stored, { secrets: { password: definition as never } });

  it.each([
    [
      'base64 that is none',
      secret.text('password', { encoding: 'base64' }),
      `${VALUE}!`,
      ['VALUE_NOT_BASE64'],
    ],
    ['JSON with a trailing comma', secret.json('password'), `{"a":"${VALUE}",}`, ['VALUE_NOT_JSON']],
    ['JSON that is base64', secret.json('password'), base64(`{"a":"${VALUE}"}`), ['VALUE_NOT_JSON']],
    ['JSON that is a placeholder', secret.json('password'), 'changeme', ['VALUE_PLACEHOLDER']],
    ['a reference instead of a pair', secret.tls('password'), `op://shop/${VALUE}/web`, ['VALUE_UNRESOLVED']],
    [
      'JSON that its schema refuses',
      secret.json('password', z.object({ b: z.string() })),
      `{"a":"${VALUE}"}`,
      ['VALUE_REFUSED'],
    ],
    [
      'a text that its schema refuses',
      secret.text('password', { schema: z.string().startsWith('sk_') }),
      VALUE,
      ['VALUE_REFUSED'],
    ],
    [
      'a key of 32 bytes as base64',
      secret.bytes('password'),
      base64(Buffer.alloc(32, 0xa7)),
      ['VALUE_BASE64'],
    ],
    ['bytes with a newline of an editor', secret.bytes('password'), `${VALUE}\n`, ['VALUE_TRAILING_NEWLINE']],
    ['a name that the mount writes otherwise', secret.text('pasword'), VALUE, ['SECRET_MISSING']],
    ['a secret that nothing has', secret.text('unrelated-thing'), VALUE, ['SECRET_MISSING']],
    ['half a pair', secret.tls({ cert: 'password', key: 'tls.key' }), VALUE, ['SECRET_MISSING']],
  ])('names what is wrong with %s', async (_set, definition, stored, codes) => {
    expect(complaints(await declared(definition, stored))).toEqual(codes);
  });

  it('suggests the name that the mount has', async () => {
    const { findings } = await declared(secret.text('pasword'), VALUE);
    expect(textOf(findings[0]).next).toContain('Did you mean "password"?');
  });

  it.each([
    ['base64 that is decoded', secret.text('password', { encoding: 'base64' }), base64(VALUE)],
    [
      'bytes that are decoded',
      secret.bytes('password', { encoding: 'base64' }),
      base64(Buffer.alloc(32, 0xa7)),
    ],
    [
      'JSON that is decoded',
      secret.json('password', undefined, { encoding: 'base64' }),
      base64(`{"a":"${VALUE}"}`),
    ],
    [
      'a number that a schema makes',
      secret.text('password', { schema: z.string().transform(Number) }),
      '42\n',
    ],
    ['random bytes', secret.bytes('password'), Buffer.from([0, 1, 2, 0xff, 0xfe, 0x0a])],
    ['text that keeps its newline', secret.text('password', { trim: 'none' }), `${VALUE}\n`],
    ['text with a byte order mark', secret.text('password'), `\ufeff${VALUE}`],
    ['a reference that is accepted', secret.text('password', { unresolved: 'accept' }), '{{ .Values.a }}'],
    ['JSON with a byte order mark', secret.json('password'), `\ufeff{"a":"${VALUE}"}`],
    ['JSON with quotes and lines', secret.json('password'), `{\r\n "a": "${VALUE}"\r\n}\r\n`],
    ['an optional secret that nothing has', secret.text('nothing').optional(), VALUE],
  ])('finds nothing to fix in %s', async (_set, definition, stored) => {
    expect(complaints(await declared(definition, stored))).toEqual([]);
  });

  it('reports definitions that read the same vault secret', async () => {
    const { path } = await mountOf({ 'a.b': VALUE, 'a-b': VALUE });
    const options = { mounts: [path], secrets: { one: 'a.b', other: secret.text('a-b', { env: 'OTHER' }) } };
    const diagnosis = await examine({ options, values: [VALUE] });
    expect(complaints(diagnosis)).toEqual(['NAME_CLASH']);
    expect(textOf(diagnosis.findings[0]).what).toBe('one and other are both the vault secret a-b');
  });

  it('reports a source that fails', async () => {
    const failing = {
      name: 'broken',
      location: '',
      read: async () => Promise.reject(new Error(VALUE)),
      inventory: async () => [],
    };
    const options = { secrets: { password: 'password' }, sources: [failing] };
    expect(complaints(await examine({ options, values: [VALUE] }))).toEqual(['SOURCE_FAILED']);
  });
});

describe('the doctor on names and copies', () => {
  it.each([
    [
      { 'db-password': VALUE, db_password: VALUE },
      'the variable DB_PASSWORD and the vault secret db-password',
    ],
    [{ 'tls.crt2': VALUE, 'tls-crt2': VALUE }, 'the variable TLS_CRT2 and the vault secret tls-crt2'],
    [
      { 'db/password': VALUE, 'db-password': VALUE },
      'the variable DB_PASSWORD and the vault secret db-password',
    ],
    [{ 'Api-Key': VALUE, 'api-key': VALUE }, 'the variable API_KEY and the vault secret api-key'],
  ])('reports names that clash after mapping: %o', async (content, place) => {
    const { path } = await mountOf(content);
    const diagnosis = await examine({ options: { mounts: [path] }, values: [VALUE] });
    expect(complaints(diagnosis)).toEqual(['NAME_CLASH']);
    expect(diagnosis.findings.find(({ code }) => code === 'NAME_CLASH')?.args.place).toBe(place);
  });

  it.each([
    ['another value', 'Other-Marked-33', 'warning', 'ENVIRONMENT_COPY_DIFFERS'],
    ['the same value', VALUE, 'note', 'ENVIRONMENT_COPY'],
    ['the same value without its newline', `${VALUE}\n`, 'note', 'ENVIRONMENT_COPY'],
  ])('compares the variable of a secret, with %s', async (_set, copy, level, code) => {
    const { path } = await mountOf({ 'db-password': VALUE });
    for (const secrets of [undefined, { login: secret.text('db-password') }]) {
      const { findings } = await examine({
        environment: { DB_PASSWORD: copy },
        options: { mounts: [path], secrets },
        values: [VALUE, copy.trim()],
      });
      expect(findings).toContainEqual(
        expect.objectContaining({ code, level, place: 'DB_PASSWORD', args: { variable: 'DB_PASSWORD' } }),
      );
    }
  });

  it('reports a declared secret that only the environment has, next to a mount', async () => {
    const { path } = await mountOf({ 'db-password': VALUE });
    const diagnosis = await examine({
      environment: { API_KEY: 'Other-Marked-33' },
      options: { mounts: [path], secrets: { db: 'db-password', api: 'api-key' } },
      values: [VALUE, 'Other-Marked-33'],
    });
    expect(complaints(diagnosis)).toEqual(['ENVIRONMENT_ONLY']);
    expect(textOf(diagnosis.findings[0]).next).toMatch(/SecretProviderClass/);
  });

  it('reports a variable of the system that a name meets by chance, and nothing about one that names a file', async () => {
    const { path } = await mountOf({ 'db-password': VALUE }, { layout: 'plain' });
    const diagnosis = await examine({
      environment: { HOME: '/home/me', DB_PASSWORD_FILE: `${path}/db-password` },
      options: {
        mounts: [path],
        secrets: { home: 'home', db: secret.text('other', { env: 'DB_PASSWORD' }) },
      },
      values: [VALUE],
    });
    expect(complaints(diagnosis)).toEqual(['VARIABLE_OF_SYSTEM']);
  });

  it('reports variables of a pod that look like secrets, and references in any variable', async () => {
    const { path } = await mountOf({ 'db-password': VALUE });
    const diagnosis = await examine({
      environment: {
        KUBERNETES_SERVICE_HOST: '10.0.0.1',
        STRIPE_API_KEY: 'Other-Marked-33',
        SMTP_URL: '@Microsoft.KeyVault(VaultName=shop;SecretName=smtp)',
        // An application may read or expand these itself.
        DB_SECRET_ARN: 'arn:aws:secretsmanager:eu-west-1:123456789012:secret:db',
        GREETING: '$(NAME)',
        TOKEN_FILE: '/run/token',
        PATH: '/bin',
      },
      options: { mounts: [path] },
      values: [VALUE, 'Other-Marked-33'],
    });
    expect(
      diagnosis.findings.filter(({ level }) => level !== 'note').map(({ code, place }) => [code, place]),
    ).toEqual([
      ['VALUE_UNRESOLVED', 'SMTP_URL'],
      ['ENVIRONMENT_ONLY', 'STRIPE_API_KEY'],
    ]);
  });
});
