import { SecretsError } from '../errors';
import { assertNumber, rejectUnknownOptions } from '../internal/options';
import { environment } from '../sources/environment';
import { mountedFiles } from '../sources/mounted-files/mounted-files';
import type { Source } from '../sources/source';
import { declared } from './declared';
import { LiveStore } from './secret-store';
import { SourceState } from './source-state';
import type { Definitions, OpenOptions, SecretStore as Store, ValuesOf } from './types';

const DEFAULT_MOUNT = '/mnt/secrets-store';

interface Open {
  <D extends Definitions>(options: OpenOptions<D> & { readonly secrets: D }): Promise<Store<ValuesOf<D>>>;
  (options?: Omit<OpenOptions, 'secrets'>): Promise<Store>;
}

const open = (async (options: OpenOptions = {}) => {
  rejectUnknownOptions('SecretStore.open', options, [
    'name',
    'secrets',
    'sources',
    'refreshTimeoutMs',
    'expiryThresholdsDays',
  ]);
  const {
    name = 'secrets',
    secrets,
    sources = await defaultSources(),
    refreshTimeoutMs = 30_000,
    expiryThresholdsDays = [30, 14, 7, 1],
  } = options;
  assertNumber('SecretStore.open', 'refreshTimeoutMs', refreshTimeoutMs, 1);
  for (const days of expiryThresholdsDays) assertNumber('SecretStore.open', 'expiryThresholdsDays', days);
  if (typeof name !== 'string' || name === '') {
    throw new SecretsError('OPTION_INVALID', 'name of SecretStore.open is no name');
  }
  if (sources.length === 0) {
    throw new SecretsError('OPTION_INVALID', 'sources of SecretStore.open is empty', {
      next: "Leave it out for the default, or give at least one: mountedFiles('/mnt/secrets-store').",
    });
  }
  const store = new LiveStore<Readonly<Record<string, string>>>({
    name,
    sources: sources.map((source) => new SourceState(source)),
    definitions: declared(secrets ?? {}),
    discovering: secrets === undefined,
    timeoutMs: refreshTimeoutMs,
    expiryThresholdsDays,
  });
  return store.open();
}) as Open;

async function defaultSources(): Promise<Source[]> {
  const { SECRETS_PATH: named, AZURE_KEY_VAULT_ENDPOINT: vaultUrl } = process.env;
  const mount = named ? mountedFiles(named) : mountedFiles(DEFAULT_MOUNT, { optional: true });
  if (!vaultUrl) return [mount, environment()];
  const { keyVault } = await import('../sources/key-vault/key-vault');
  return [mount, keyVault({ vaultUrl, list: true }), environment()];
}

/**
 * Opens stores. `SecretStore.open()` needs no options: the mount at `$SECRETS_PATH` (else `/mnt/secrets-store`), the
 * Key Vault at `$AZURE_KEY_VAULT_ENDPOINT` where that is set, the environment as fallback, every file a text secret under its
 * own name. With `secrets` names and values are typed.
 *
 * Rejects with `SECRET_MISSING`, a code of the mount (`MOUNT_…`, `FILE_…`), of a value (`VALUE_…`), of the
 * definitions (`NAME_…`), `OPTION_UNKNOWN` or `OPTION_INVALID`.
 *
 * @example
 * ```ts
 * const secrets = await SecretStore.open();
 * secrets.reveal('database-password');
 * ```
 */
export const SecretStore = { open } as const;
export type SecretStore<V = Readonly<Record<string, string>>> = Store<V>;
