/** A syntax of references that something else resolves before a process starts. */
interface Reference {
  readonly syntax: string;
  readonly resolver: string;
  readonly pattern: RegExp;
}

/** Each matches the whole value, unless a part of a value can be a reference, as in a connection string. */
const REFERENCES: readonly Reference[] = [
  {
    syntax: '@Microsoft.KeyVault(…)',
    resolver: 'Azure App Service or Functions',
    pattern: /@Microsoft\.KeyVault\(/i,
  },
  {
    syntax: '@Microsoft.AppConfiguration(…)',
    resolver: 'Azure App Service or Functions',
    pattern: /@Microsoft\.AppConfiguration\(/i,
  },
  {
    syntax: '{"uri":"https://…/secrets/…"}',
    resolver: 'The provider of Azure App Configuration',
    pattern: /^\{\s*"uri"\s*:\s*"https:\/\/[^"]+\/secrets\/[^"]+"\s*\}$/,
  },
  {
    syntax: 'https://….vault.azure.net/secrets/…',
    resolver: 'A client of Key Vault',
    pattern:
      /^https:\/\/[\w-]+\.(vault|managedhsm)\.(azure\.(net|cn)|usgovcloudapi\.net)\/(secrets|certificates|keys)\/\S+$/i,
  },
  {
    syntax: '…@azurekeyvault',
    resolver: 'The injector of akv2k8s',
    pattern: /^[\w-]+@azurekeyvault(\?.*)?$/i,
  },
  { syntax: 'secretref:…', resolver: 'Azure Container Apps', pattern: /^(secretref|keyvaultref):\S+$/i },
  {
    syntax: 'vault:…#…',
    resolver: 'The vault-secrets-webhook (Bank-Vaults)',
    pattern: /^>?>?vault:[\w/.-]+#\S+$/,
  },
  { syntax: '<path:…#…>', resolver: 'The Argo CD Vault plugin', pattern: /<path:[^>]+#[^>]+>/ },
  { syntax: 'ref+…://…', resolver: 'vals or Helmfile', pattern: /^(secret)?ref\+[a-z]+:\/\/\S+$/ },
  {
    syntax: 'op://…',
    resolver: 'op run or op inject (1Password)',
    pattern: /^(\{\{\s*)?op:\/\/\S+(\s*\}\})?$/,
  },
  {
    syntax: 'bws:/doppler:/infisical://…',
    resolver: 'The command of its secret manager',
    pattern: /^(bws|doppler|infisical|keeper|akeyless):\/{0,2}\S+$/,
  },
  { syntax: 'sm://…', resolver: 'berglas', pattern: /^(sm|berglas):\/\/\S+$/ },
  {
    syntax: 'projects/…/secrets/…',
    resolver: 'A client of Google Secret Manager',
    pattern: /^(gcp:secretmanager:)?projects\/[\w-]+\/secrets\/[\w-]+(\/versions\/\w+)?$/,
  },
  {
    syntax: 'arn:aws:secretsmanager:…',
    resolver: 'ECS or a client of AWS Secrets Manager',
    pattern: /^arn:aws[\w-]*:(secretsmanager|ssm):\S+$/,
  },
  { syntax: '{{resolve:…}}', resolver: 'CloudFormation', pattern: /\{\{resolve:[^}]+\}\}/ },
  { syntax: 'ENC[…]', resolver: 'sops', pattern: /^ENC\[AES256_GCM,.*\]$/s },
  { syntax: '$ANSIBLE_VAULT', resolver: 'ansible-vault', pattern: /^\$ANSIBLE_VAULT;/ },
  {
    syntax: 'a git-crypt or age file',
    resolver: 'git-crypt or age',
    pattern: /^(\0?GITCRYPT\0?|age-encryption\.org\/v1)/,
  },
  {
    syntax: 'a Git LFS pointer',
    resolver: 'git lfs pull',
    pattern: /^version https:\/\/git-lfs\.github\.com\/spec\/v1/,
  },
  {
    syntax: '{{ … }}',
    resolver: 'A template engine such as Helm or the Vault agent',
    pattern: /\{\{-?\s*[\w.$"(][^}]*\}\}/,
  },
  {
    syntax: '#{…}#',
    resolver: 'The Replace Tokens task of Azure Pipelines',
    pattern: /#\{[A-Za-z_][\w.-]*\}#/,
  },
  { syntax: '$(NAME)', resolver: 'Kubernetes or Azure Pipelines', pattern: /\$\([A-Za-z_][\w.]*\)/ },
  { syntax: `${'$'}{{ … }}`, resolver: 'GitHub Actions', pattern: /\$\{\{[^}]+\}\}/ },
  {
    syntax: `${'$'}{NAME}`,
    resolver: 'A shell, envsubst or Compose',
    pattern: /\$\{[A-Za-z_]\w*(:?[-?+][^}]*)?\}/,
  },
  { syntax: '$NAME', resolver: 'A shell or envsubst', pattern: /^\$[A-Z_][A-Z0-9_]{2,}$/ },
  { syntax: '%NAME%', resolver: 'cmd.exe', pattern: /^%[A-Z_][A-Z0-9_]{2,}%$/ },
  {
    syntax: '__NAME__',
    resolver: 'The Replace Tokens task of Azure Pipelines',
    pattern: /^__[A-Z][A-Z0-9_]+__$/,
  },
];

const PLACEHOLDER =
  /^(change[-_ ]?(me|it|this)[!.]*|replace[-_ ]?(me|this)|to[-_ ]?do|fix[-_ ]?me|tbd|placeholder|dummy|x{3,}|\.{3,}|\*{3,}|<[\w -]{1,60}>|\[[\w -]{1,60}\]|your[-_ ][\w -]{1,60}|insert[-_ ][\w -]{1,60}|(null|undefined|none|nil|\[object Object\]|NaN))$/i;

/** The reference that a value is, or contains. Its syntax and resolver are names; they contain nothing of the value. */
export function referenceIn(text: string): Omit<Reference, 'pattern'> | undefined {
  const value = text.trim();
  if (value.length > 4096 && !value.startsWith('$ANSIBLE_VAULT')) return undefined;
  const found = REFERENCES.find(({ pattern }) => pattern.test(value));
  return found === undefined ? undefined : { syntax: found.syntax, resolver: found.resolver };
}

export function isPlaceholder(text: string): boolean {
  return PLACEHOLDER.test(text.trim());
}
