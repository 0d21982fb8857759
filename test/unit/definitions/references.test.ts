// biome-ignore-all lint/suspicious/noTemplateCurlyInString: text that nothing expands is what these tests are about.
import { environment, memory, SecretStore, type SecretsError, secret } from 'hot-secrets';
import { describe, expect, it } from 'vitest';
import { isSecretsError } from '../../../src/errors';
import { seededRandom } from '../../support/seeded-random';
import { record } from '../../support/store-log';

/** Returns the error for a stored value; `undefined` if it is accepted. */
function refusal(value: string | Uint8Array, definition = secret.text('one')): SecretsError | undefined {
  try {
    void definition.decode([Buffer.from(value as string)]);
    return undefined;
  } catch (error) {
    if (isSecretsError(error)) return error;
    throw error;
  }
}

const REFERENCES: readonly [value: string, by: string][] = [
  ['@Microsoft.KeyVault(SecretUri=https://shop.vault.azure.net/secrets/api-key/)', 'App Service'],
  ['@Microsoft.KeyVault(VaultName=shop;SecretName=api-key)', 'App Service'],
  ['@microsoft.keyvault(SecretUri=https://shop.vault.azure.net/secrets/api-key/0123)', 'App Service'],
  ['@Microsoft.AppConfiguration(Endpoint=https://shop.azconfig.io; Key=api-key)', 'App Service'],
  ['{"uri":"https://shop.vault.azure.net/secrets/api-key"}', 'App Configuration'],
  ['https://shop.vault.azure.net/secrets/api-key/0123456789abcdef', 'Key Vault'],
  ['secretref:api-key', 'Container Apps'],
  ['db-password@azurekeyvault', 'akv2k8s'],
  ['db@azurekeyvault?password', 'akv2k8s'],
  ['keyvaultref:https://shop.vault.azure.net/secrets/api-key,identityref:system', 'Container Apps'],
  ['keyvault://shop/api-key', 'secret manager'],
  ['azurekeyvault://shop/api-key', 'secret manager'],
  ['{{resolve:secretsmanager:MySecret:SecretString:password}}', 'CloudFormation'],
  ['arn:aws:secretsmanager:eu-west-1:123456789012:secret:prod/db-AbCdEf', 'AWS'],
  ['arn:aws-cn:secretsmanager:cn-north-1:123456789012:secret:db-AbCdEf:password::', 'AWS'],
  ['arn:aws:ssm:eu-west-1:123456789012:parameter/prod/db', 'AWS'],
  ['ssm:/prod/db/password', 'Parameter Store'],
  ['ssm://prod/db/password', 'Parameter Store'],
  ['aws-ssm:///prod/db/password', 'Parameter Store'],
  ['projects/shop/secrets/db-password/versions/latest', 'Google'],
  ['projects/123456/secrets/db-password', 'Google'],
  ['//secretmanager.googleapis.com/projects/shop/secrets/db-password', 'Google'],
  ['sm://projects/shop/secrets/db-password', 'Google'],
  ['sm://shop/db-password', 'secret manager'],
  ['berglas://bucket/db-password', 'secret manager'],
  ['vault:secret/data/db#password', 'bank-vaults'],
  ['>>vault:secret/data/db#password#3', 'bank-vaults'],
  ['vault:secret/db', 'bank-vaults'],
  ['ref+vault://secret/db#/password', 'vals'],
  ['ref+awssecrets://prod/db/password?region=eu-west-1', 'vals'],
  ['op://vault/item/field', '1Password'],
  ['op://Shared Vault/The Database/section/password', '1Password'],
  ['doppler://shop/prd/DB_PASSWORD', 'secret manager'],
  ['infisical://shop/prod/DB_PASSWORD', 'secret manager'],
  ['keeper://Kd2x/field/password', 'secret manager'],
  ['ENC[AES256_GCM,data:Tr7o=,iv:1vI=,tag:k3s=,type:str]', 'SOPS'],
  ['ENC[PKCS7,Y22exl+OvjDe+drmik2XEeD3VQtl1uZJXFFF2NnrMXDWx0csyqLB==]', 'SOPS'],
  ['ENC(G6N718UuyPE5bHyWKyuLQSm02auQPUtm)', 'Jasypt'],
  ['{cipher}AQBmVnVk4gkYzYxRcF9cZ2k', 'Spring Cloud Config'],
  ['$ANSIBLE_VAULT;1.1;AES256\n3866633464326539', 'Ansible Vault'],
  ['$(API_KEY)', 'Kubernetes'],
  ['$(db-password)', 'Pipelines'],
  ['$(cat /run/secrets/db)', 'a shell'],
  ['`cat /run/secrets/db`', 'a shell'],
  ['$env:DB_PASSWORD', 'PowerShell'],
  ['${DB_PASSWORD}', 'Compose'],
  ['${DB_PASSWORD:-changeme}', 'Compose'],
  ['${DB_PASSWORD:?not set}', 'Compose'],
  ['${db.password}', 'framework'],
  ['${var.db_password}', 'framework'],
  ['${file(./secrets.yml):db}', 'framework'],
  ['${{ secrets.DB_PASSWORD }}', 'GitHub Actions'],
  ['$[variables.dbPassword]', 'Azure Pipelines'],
  ['{{ .Values.db.password }}', 'Helm'],
  ['{{DB_PASSWORD}}', 'template'],
  ['{{- with secret "secret/data/db" -}}\n{{ .Data.data.password }}\n{{- end -}}', 'Vault Agent'],
  ["{{ lookup('env', 'DB_PASSWORD') }}", 'Ansible'],
  ['{% if db %}secret{% endif %}', 'template'],
  ['<%= ENV["DB_PASSWORD"] %>', 'template'],
  ['((db-password))', 'CredHub'],
  ['((/concourse/main/db.password))', 'CredHub'],
  ['#{Db.Password}', 'Octopus'],
  ['#{DbPassword}#', 'Azure Pipelines'],
  ['<path:secret/data/shop#password>', 'Argo CD'],
  ['version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 12', 'Git LFS'],
  ['<+secrets.getValue("db")>', 'Harness'],
  ["%{lookup('db::password')}", 'Hiera'],
  ['@db.password@', 'Maven'],
  ['__DB_PASSWORD__', 'tokens'],
  ['!secret db_password', 'YAML'],
  ['!Ref DbPassword', 'YAML'],
  ['process.env.DB_PASSWORD', 'a program'],
  ['<no value>', 'Helm'],
  ['<nil>', 'Go'],
  ['%!s(<nil>)', 'Go'],
  ['(known after apply)', 'Terraform'],
  ['<sensitive>', 'Terraform'],
  ['${Token[TOKEN.123]}', 'Terraform'],
  ['undefined', 'a script'],
  ['null', 'a script'],
  ['[object Object]', 'a script'],
  ['[object Promise]', 'a script'],
  ['[secret dbPassword]', 'a script'],
  // The variable of the secret "one".
  ['$ONE', 'a shell'],
  ['%ONE%', 'a shell'],
];

describe('a value that is a reference', () => {
  it.each(REFERENCES)('refuses %s, which %s left unresolved, without repeating it', (value, by) => {
    const error = refusal(value);
    expect(error).toMatchObject({ code: 'VALUE_UNRESOLVED', secret: 'one' });
    expect(error?.what).toContain(by);
    if (value.length > 9) expect(error?.message).not.toContain(value);
  });

  it.each([
    ['a final newline', (value: string) => `${value}\n`],
    ['quotes around it', (value: string) => `"${value}"\r\n`],
    ['a byte order mark', (value: string) => `\ufeff${value}`],
  ])('refuses a reference with %s', (_what, dress) => {
    for (const [value] of REFERENCES) {
      expect(refusal(dress(value))?.code, value).toBe('VALUE_UNRESOLVED');
    }
  });

  it.each([
    ['text', secret.text('one')],
    ['bytes', secret.bytes('one')],
    ['JSON', secret.json('one')],
    ['a private key', secret.key('one')],
    ['a certificate', secret.tls('one')],
    ['optional text', secret.text('one').optional()],
  ])('refuses a reference as %s', (_kind, definition) => {
    for (const value of [
      'op://vault/item/field',
      '$(KEY)',
      '@Microsoft.KeyVault(VaultName=a;SecretName=b)',
    ]) {
      expect(refusal(value, definition as never)?.code).toBe('VALUE_UNRESOLVED');
    }
  });

  it('refuses a reference that is encoded as base64', () => {
    const encoded = Buffer.from('@Microsoft.KeyVault(VaultName=shop;SecretName=key)').toString('base64');
    expect(refusal(encoded, secret.text('one', { encoding: 'base64' }))?.code).toBe('VALUE_UNRESOLVED');
  });

  it('takes a reference as the value with unresolved: "accept"', async () => {
    const options = { unresolved: 'accept' } as const;
    for (const [value] of REFERENCES) {
      expect(await secret.text('one', options).decode([Buffer.from(value)])).toBe(value);
      expect(refusal(value, secret.bytes('one', options) as never)).toBeUndefined();
    }
    const uri = '{"uri":"https://shop.vault.azure.net/secrets/key"}';
    expect(await secret.json('one', undefined, options).decode([Buffer.from(uri)])).toEqual(JSON.parse(uri));
  });
});

describe('a value that resembles a reference', () => {
  it.each([
    // Parts of a value, as in passwords and connection strings.
    'a$(B)',
    '$(B)c',
    '${x}${y}!',
    'pa{{ss}}word',
    '{{}}',
    '${}',
    '$()',
    '$2b$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy',
    '$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHQ$RdescudvJCsgt3ub',
    '$UMMER_2024',
    'postgres://app:$(DB_PASSWORD)@db/app',
    'https://user:pass@example.com/secrets/x',
    'https://hooks.example.com/services/T00/B00/XXXX',
    'redis://:secret@cache:6379/0',
    'amqp://user:op://x@host',
    'Server=db;Password=${x;',
    // Text that belongs to services which decrypt or resolve it themselves.
    'vault:v1:8SDd3WHDOjf7mq69CyCqYjBXAiQQAVZRkFM13ok481zoCmHnSeDX9vyf7w==',
    'arn:aws:iam::123456789012:role/app',
    'arn:aws:kms:eu-west-1:123456789012:key/1234abcd',
    'projects/shop/topics/orders',
    '-----BEGIN PGP MESSAGE-----',
    // Words and short passwords.
    'vault:',
    'op://',
    'ssm',
    'Null',
    'nullable',
    'undefined1',
    '!secret',
    '[]',
    '[object]',
    '__',
    '____',
    '@example.com',
    '@a@',
    '#{',
    '<b>bold</b>',
    '<3',
    '((',
    '(a)',
    '%41%42%43',
    '%OTHER%',
    '$OTHER',
    '{"user":"a","password":"{{x}}"}',
    'ENC(short)',
    'encrypted:yes',
    '{cipher}no',
  ])('accepts %s', async (value) => {
    expect(await secret.text('one').decode([Buffer.from(value)])).toBe(value);
  });

  it('accepts every one of 50,000 random passwords that begin like a reference', () => {
    const next = seededRandom(7);
    const any = (characters: string) => characters[Math.floor(next() * characters.length)] as string;
    const printable = String.fromCharCode(...Array.from({ length: 94 }, (_, index) => 33 + index));
    const refused: string[] = [];
    for (let round = 0; round < 50_000; round += 1) {
      const rest = Array.from({ length: 5 + Math.floor(next() * 20) }, () => any(printable));
      const password = [any('$@{<%#(!_'), ...rest].join('');
      if (refusal(password) !== undefined) refused.push(password);
    }
    expect(refused).toEqual([]);
  });

  it('accepts a JSON null and binary data', async () => {
    expect(await secret.json('one').decode([Buffer.from('null')])).toBeNull();
    expect(refusal(Uint8Array.of(0x24, 0x28, 0xff, 0x29), secret.bytes('one') as never)).toBeUndefined();
  });
});

describe('a store that reads a reference', () => {
  it.each([
    ['the environment', () => environment({ ONE: '$(ONE)' })],
    ['another source', () => memory({ one: 'op://vault/item/field' })],
  ])('rejects the open when %s holds one, instead of asking the next source', async (_what, source) => {
    const opening = SecretStore.open({
      secrets: { one: 'one' },
      sources: [source(), memory({ one: 'below' })],
    });
    await expect(opening).rejects.toMatchObject({ code: 'VALUE_UNRESOLVED', secret: 'one' });
  });

  it('keeps serving the last value while a rotation brings references, and reports each of them once', async () => {
    const source = memory({ one: 'v1' });
    await using store = await SecretStore.open({ secrets: { one: 'one' }, sources: [source] });
    const log = record(store);
    for (const value of ['{{ .Values.one }}', '<no value>', 'undefined']) {
      source.set({ one: value });
      await store.refresh();
      await store.refresh();
      expect(store.reveal('one')).toBe('v1');
    }
    expect(log.codes()).toEqual(Array(3).fill('VALUE_UNRESOLVED'));
    source.set({ one: 'v2' });
    await store.refresh();
    expect([store.reveal('one'), store.health().status]).toEqual(['v2', 'ok']);
  });

  it('throws the cause for an undeclared variable that holds a reference', async () => {
    await using store = await SecretStore.open({ sources: [environment({ API_KEY: '${API_KEY}' })] });
    expect(() => store.reveal('api-key')).toThrow(expect.objectContaining({ code: 'VALUE_UNRESOLVED' }));
  });
});
