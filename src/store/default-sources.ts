import { SecretsError } from '../errors';
import { builtin } from '../internal/builtins';
import { environment } from '../sources/environment';
import { DEFAULT_MOUNT } from '../sources/mounted-files/layout';
import { mountedFiles } from '../sources/mounted-files/mounted-files';
import type { Source } from '../sources/source';

const { readdirSync } = builtin('fs');

/** Where Docker and Podman mount secrets. */
const DOCKER_SECRETS = '/run/secrets';

/** The sources of a store that names none: mounts, the vault if one is set, then the environment. */
export async function defaultSources(variables: NodeJS.ProcessEnv = process.env): Promise<Source[]> {
  const mounts = defaultMounts(variables);
  const { AZURE_KEY_VAULT_ENDPOINT: vaultUrl } = variables;
  if (!vaultUrl) return [...mounts, environment()];
  if (!URL.canParse(vaultUrl) || new URL(vaultUrl).protocol !== 'https:') {
    const what = 'the variable AZURE_KEY_VAULT_ENDPOINT must be an https address';
    const next = 'Set it to https://NAME.vault.azure.net, or remove it.';
    throw new SecretsError('OPTION_INVALID', what, { next });
  }
  const { keyVault } = await import('../sources/key-vault/key-vault');
  return [...mounts, keyVault({ vaultUrl, list: true }), environment()];
}

/**
 * The mount that `$SECRETS_PATH` names, which must exist. Without it, the mounts where platforms put secrets by convention, in
 * order of precedence; each may be missing.
 */
export function defaultMounts(variables: NodeJS.ProcessEnv, dockerSecrets = DOCKER_SECRETS): Source[] {
  if (variables.SECRETS_PATH) return [mountedFiles(variables.SECRETS_PATH)];
  return defaultMountPaths(variables, dockerSecrets).map((path) => mountedFiles(path, { optional: true }));
}

/** The mounts of platforms. They count without `$SECRETS_PATH`. */
export function defaultMountPaths(
  { SERVICE_BINDING_ROOT: bindings, CREDENTIALS_DIRECTORY: credentials }: Readonly<NodeJS.ProcessEnv>,
  dockerSecrets = DOCKER_SECRETS,
): string[] {
  const paths = [bindings, credentials, DEFAULT_MOUNT, hasFiles(dockerSecrets) ? dockerSecrets : undefined];
  return [...new Set(paths)].flatMap((path) => path || []);
}

/** Tells whether files lie in the directory itself: of the pods of Kubernetes, it only holds the service account's directory. */
function hasFiles(directory: string): boolean {
  try {
    return readdirSync(directory, { withFileTypes: true }).some((entry) => !entry.isDirectory());
  } catch {
    return false;
  }
}
