import { SecretsError } from '../errors';

/** The names of one value, by kind of source. */
export interface Lookup {
  /** The alias, for example `database-password` or `db/primary/password`. */
  readonly name: string;
  /** Path of the file, relative to the mount. Default: the alias. */
  readonly file: string;
  /** Environment variables in order of precedence: the first that is set and not empty wins. */
  readonly env: readonly string[];
  /**
   * Name of the secret in a vault, which allows only `[0-9A-Za-z-]`; `name/version` if a version is pinned, `name/previous` for
   * the version before the newest.
   */
  readonly vault: string;
}

/** Names to use instead of those derived from the alias. */
export interface LookupOptions {
  /** Path of the file, relative to the mount. Default: the alias. */
  readonly file?: string | undefined;
  /** Environment variables; the first that is set wins. `[]` for none. Default: the alias as `UPPER_CASE`. */
  readonly env?: string | readonly string[] | undefined;
  /** Name in a vault; append `/version` to pin a version, `/previous` for the version before the newest. Default: the alias, with `-` for characters a vault rejects. */
  readonly vault?: string | undefined;
}

const ALIAS = /^[A-Za-z0-9_.-]+(\/[A-Za-z0-9_.-]+)*$/;
const VAULT = /^[0-9A-Za-z-]{1,127}(\/[0-9A-Za-z]{1,64})?$/;
const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** `database-password` → `DATABASE_PASSWORD`, `tls.crt` → `TLS_CRT`, `db/primary/password` → `DB_PRIMARY_PASSWORD`. */
export function environmentName(alias: string): string {
  const name = alias.replace(/[^A-Za-z0-9]/g, '_').toUpperCase();
  return /^[0-9]/.test(name) ? `_${name}` : name;
}

/** `tls.crt` → `tls-crt`, `db/primary/password` → `db-primary-password`. */
export function vaultName(alias: string): string {
  return alias.replace(/[^A-Za-z0-9-]/g, '-');
}

/**
 * Builds the lookup of an alias.
 * @throws `NAME_INVALID` if the alias, a variable or the vault name is invalid, `FILE_OUTSIDE_MOUNT` if the path is
 * absolute or leaves the mount.
 */
export function lookup(alias: string, options: LookupOptions = {}): Lookup {
  if (options.file === undefined && alias !== '') assertInsideMount(alias, alias);
  if (!ALIAS.test(alias) || alias.startsWith('..')) {
    throw new SecretsError('NAME_INVALID', `${quote(alias)} is not a valid name for a secret`, {
      next: 'Use letters, digits, ".", "_" and "-", with "/" between the parts of a nested alias.',
    });
  }
  const env = options.env === undefined ? [environmentName(alias)] : [options.env].flat();
  for (const variable of env) {
    if (!VARIABLE.test(variable)) {
      throw new SecretsError(
        'NAME_INVALID',
        `${quote(variable)} is not a valid name for an environment variable`,
        {
          secret: alias,
          next: 'Use letters, digits and "_", and start with a letter or "_".',
        },
      );
    }
  }
  const vault = options.vault ?? vaultName(alias);
  if (options.vault !== undefined && !VAULT.test(vault)) {
    throw new SecretsError('NAME_INVALID', `${quote(vault)} is not a valid name for a secret in a vault`, {
      secret: alias,
      next: 'Use up to 127 letters, digits and "-". To pin a version, append "/" and the version.',
    });
  }
  const file = options.file ?? alias;
  assertInsideMount(alias, file);
  return Object.freeze({ name: alias, file, env: Object.freeze(env), vault });
}

function assertInsideMount(alias: string, file: string): void {
  const parts = file.split('/');
  const climbs = parts.some((part) => part === '..' || part === '.' || part === '');
  // Kubernetes reserves first parts that start with "..": `..data` and the directories with a timestamp.
  if (climbs || file.startsWith('..') || file.includes('\\') || file.includes('\0')) {
    throw new SecretsError('FILE_OUTSIDE_MOUNT', `the path ${quote(file)} is not inside the mount`, {
      secret: alias,
      next: 'Use a relative path to a file below the mount, without "." or "..".',
    });
  }
}

function quote(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}
