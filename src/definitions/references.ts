import { SecretsError } from '../errors';

/** What injects a value, and the text that it leaves if it did not run or found nothing. */
interface Injector {
  readonly by: string;
  /** The whole text, which is one reference and nothing else. */
  readonly text: RegExp;
  readonly next: string;
}

const IDENTITY = 'Check that the identity of the app may read the secret, and that the name exists there.';
const RUN = 'Start the process through the tool that resolves it, and check that the name exists there.';
const RENDER = 'Check that the template was rendered, and that the name in it exists.';
const EXPAND = 'Check that the name in it is defined where it is expanded.';
const DECRYPT = 'Decrypt the value before it is stored, or where the process starts.';

/** Names of variables and of their parts: `DB_PASSWORD`, `db.password`, `secrets.db-password`. */
const NAME = '[A-Za-z_][\\w.:/-]*';

/**
 * Each pattern matches a whole value, because a password may contain any of these characters. The first match counts.
 */
const INJECTORS: readonly Injector[] = [
  {
    by: 'App Service or Azure Functions',
    text: /^@Microsoft\.(KeyVault|AppConfiguration)\(.*\)$/is,
    next: `${IDENTITY} The portal shows the status of the reference.`,
  },
  {
    by: 'Azure App Configuration',
    text: /^\{\s*"uri"\s*:\s*"https:\/\/[\w.-]+\.vault\.[\w.-]+\/secrets\/[^"]+"\s*\}$/i,
    next: IDENTITY,
  },
  {
    by: 'a client of Azure Key Vault',
    text: /^https:\/\/[\w-]+\.vault\.(azure\.net|azure\.cn|usgovcloudapi\.net)(:443)?\/secrets\/[\w/-]+$/i,
    next: "Store the secret itself, or read the vault with keyVault() of 'hot-secrets/key-vault'.",
  },
  {
    by: 'Azure Container Apps',
    text: /^(secretref:[a-z0-9][\w.-]*|keyvaultref:https:\/\/\S+)$/i,
    next: 'Pass it as the source of a variable (`--env-vars NAME=secretref:…`), and check that the secret exists.',
  },
  { by: 'akv2k8s', text: /^[\w-]+@azurekeyvault(\?\S*)?$/i, next: IDENTITY },
  { by: 'AWS CloudFormation', text: /^\{\{resolve:[^{}]+\}\}$/i, next: IDENTITY },
  {
    by: 'AWS Secrets Manager or Parameter Store',
    text: /^arn:aws[\w-]*:(secretsmanager:[\w-]*:\d*:secret|ssm:[\w-]*:\d*:parameter)[:/]\S+$/i,
    next: IDENTITY,
  },
  {
    by: 'AWS Parameter Store',
    text: /^(aws-?)?(ssm|parameter-?store):\/{0,3}[\w.-]+(\/[\w.-]+)*$/i,
    next: IDENTITY,
  },
  {
    by: 'Google Secret Manager',
    text: /^((\/\/)?secretmanager\.googleapis\.com\/|(gcp|gsm|gcpsm|sm|sm@|secretmanager):\/{0,3})?projects\/[^/\s]+\/(locations\/[^/\s]+\/)?secrets\/[^/\s]+(\/versions\/[^/\s]+)?$/i,
    next: IDENTITY,
  },
  {
    by: 'HashiCorp Vault (bank-vaults)',
    // `vault:v1:…` is text that Vault encrypted, which a service may decrypt itself.
    text: /^(>>)?(vault|bao):(?!v\d+:)[\w.-]+\/[^\s]+$/i,
    next: 'Start the process with vault-env, and check its role and the path.',
  },
  {
    by: 'vals',
    text: /^(ref\+[a-z0-9]+|secretref\+[a-z0-9]+):\/\/\S+$/i,
    next: 'Run `vals eval` or `vals exec`, and check that the path exists.',
  },
  {
    by: '1Password',
    text: /^op:\/\/[^/\n]+\/[^/\n]+(\/[^/\n]+){1,2}$/i,
    next: 'Start the process with `op run`, or render the file with `op inject`.',
  },
  {
    by: 'the tool of a secret manager',
    text: /^(doppler|infisical|(azure-?)?key-?vault|akv|azkv|hc-?vault|vault|(open)?bao|conjur|keeper|bws|bitwarden|lastpass|lpass|dashlane|dl|pass|akeyless|berglas|sm|gsm|gcpsm|gcp-?secrets?|gcp-?secret-?manager|aws-?sm|asm|secrets-?manager|aws-?secrets?|aws-?secrets-?manager|secret-?manager|phase|passbolt|chamber|kms|k8s-?secret|sops):\/\/\S+$/i,
    next: RUN,
  },
  {
    by: 'SOPS',
    text: /^ENC\[(AES256_GCM|PKCS7|GPG),.*\]$/is,
    next: DECRYPT,
  },
  { by: 'Jasypt', text: /^ENC\([A-Za-z0-9+/=]{16,}\)$/, next: DECRYPT },
  { by: 'Spring Cloud Config', text: /^\{cipher\}[A-Za-z0-9+/=]{16,}$/, next: DECRYPT },
  { by: 'dotenvx', text: /^encrypted:[A-Za-z0-9+/=]{40,}$/, next: DECRYPT },
  { by: 'Ansible Vault', text: /^(!vault\s*\|?\s*)?\$ANSIBLE_VAULT;[\d.]+;\w+/, next: DECRYPT },
  {
    by: 'Git LFS',
    text: /^version https:\/\/git-lfs\.github\.com\/spec\/v1\s/,
    next: 'Run `git lfs pull` before the file is copied.',
  },
  {
    by: 'Terraform or Pulumi',
    text: /^(\(known after apply\)|[(<]sensitive( value)?[)>]|\$\{Token\[[\w.]+\]\}|Calling \[toString\] on an \[Output<T>\].*)$/s,
    next: 'Store the value that the tool computes, not what it prints.',
  },
  {
    by: 'a pipeline (GitHub Actions, Azure Pipelines)',
    text: /^\$\{\{[^{}]*\}\}$|^\$\[\s*(variables|dependencies|stageDependencies|format|coalesce)[.[(].*\]$/,
    next: EXPAND,
  },
  {
    by: 'Kubernetes or Azure Pipelines',
    text: new RegExp(`^\\$\\(${NAME}\\)$`),
    next: 'Kubernetes expands $(NAME) only for variables that stand earlier in the same list; a pipeline, for variables that it has.',
  },
  { by: 'a shell', text: /^\$\([a-z][\w./-]*\s[^()]+\)$|^`[a-z][\w./-]*\s[^`]+`$/, next: EXPAND },
  { by: 'PowerShell', text: /^\$\{?env:\w+\}?$/i, next: EXPAND },
  {
    by: 'Compose, a shell or a framework',
    // The lookahead keeps this linear: without it, each character of a name starts a scan to the end.
    text: new RegExp(`^\\$\\{(?=[^{}]*\\}$)\\s*${NAME}\\s*([-?+=:([][^{}]*)?\\}$`),
    next: EXPAND,
  },
  {
    by: 'a template (Helm, Vault Agent, External Secrets, Ansible)',
    text: /^\{\{[-~#&]?\s*["'(]?[A-Za-z_.$/].*\}\}$|^\{%-?\s.*\s-?%\}$|^<%[-=]?\s.*%>$/s,
    next: RENDER,
  },
  { by: 'the Argo CD Vault plugin', text: /^<path:[^<>]+#[^<>]+>$/, next: RENDER },
  { by: 'CredHub or Concourse', text: /^\(\([\w./:!-]+\)\)$/, next: EXPAND },
  { by: 'Octopus Deploy or Azure Pipelines', text: /^#\{[A-Za-z_][\w.:[\] -]*\}#?$/, next: EXPAND },
  { by: 'Harness', text: /^<\+[A-Za-z][\w.]*(\(["'\w./-]*\))?[\w.]*>$/, next: EXPAND },
  { by: 'Hiera', text: /^%\{[A-Za-z_:][\w.:(),'" -]*\}$/, next: EXPAND },
  { by: 'Maven', text: /^@[a-z][\w-]*(\.[\w-]+)+@$/, next: EXPAND },
  {
    by: 'a step that replaces tokens',
    text: /^(#\{?)?__[A-Z][A-Z0-9]*(_[A-Z0-9]+)*__(\}?#)?$/,
    next: EXPAND,
  },
  { by: 'YAML', text: /^!(secret|Ref|Sub|GetAtt|ImportValue|env|ENV|vault)\s+[\w"'$.{}:/-]+$/, next: RENDER },
  { by: 'a program', text: /^process\.env\.[A-Za-z_]\w*$/, next: EXPAND },
  {
    by: 'a template (Go, Helm)',
    text: /^(<no value>|<nil>|%![a-z]\(.*\))$/,
    next: RENDER,
  },
  {
    by: 'a script',
    text: /^(undefined|null|\[object [A-Z]\w*\])$/,
    next: 'The script that stored it had no value: check where it reads the secret.',
  },
  {
    by: 'a script',
    text: /^\[secret [^[\]]+\]$/,
    next: 'A box prints as its name: store what reveal() returns.',
  },
];

/** Longer values are not references. */
const MAX_LENGTH = 16_384;

/** Leaves a byte order mark out. */
let decoder: InstanceType<typeof TextDecoder> | undefined;

/**
 * Refuses a value that is a reference to a secret, which the tool that injects secrets left as it was.
 * @throws `VALUE_UNRESOLVED`, which names that tool but not the reference.
 */
export function assertResolved(
  kind: string,
  { name, env }: { readonly name: string; readonly env: readonly string[] },
  stored: Uint8Array,
): void {
  if (stored.length > MAX_LENGTH) return;
  decoder ??= new TextDecoder();
  const text = withoutQuotes(decoder.decode(stored).trim());
  // JSON has a null of its own.
  if (kind === 'json' && text === 'null') return;
  const found = INJECTORS.find((one) => one.text.test(text)) ?? ofItself(text, env);
  if (found === undefined) return;
  const what = `the value of "${name}" is a reference that ${found.by} did not resolve`;
  throw new SecretsError('VALUE_UNRESOLVED', what, {
    secret: name,
    next: `${found.next} If it is the secret itself, declare it with unresolved: 'accept'.`,
  });
}

/** A variable that names itself, `DB_PASSWORD=$DB_PASSWORD`, was never expanded. Other names may be passwords. */
function ofItself(text: string, env: readonly string[]): Injector | undefined {
  const name = /^(?:\$(\w+)|%(\w+)%|\$\$(\w+))$/.exec(text);
  const variable = name?.[1] ?? name?.[2] ?? name?.[3];
  if (variable === undefined || !env.includes(variable)) return undefined;
  return { by: 'a shell', text: /^/, next: EXPAND };
}

/** Files of variables often put a value into quotes that nothing removes. */
function withoutQuotes(text: string): string {
  return /^(["'])(.*)\1$/s.exec(text)?.[2]?.trim() ?? text;
}
