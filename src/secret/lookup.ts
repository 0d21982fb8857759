import { SecretsError } from '../errors';

/** Where one value may be found: its name in each kind of source. */
export interface Lookup {
  /** The alias, for example `database-password` or `db/primary/password`. */
  readonly name: string;
  /** Path of the file, relative to the mount. Default: the alias. */
  readonly file: string;
  /** Environment variables, in order: the first one that is set and not empty wins. */
  readonly env: readonly string[];
  /** Name of the secret in a vault, which allows `[0-9A-Za-z-]` only; `name/version` where a version is pinned. */
  readonly vault: string;
}

/** Overrides for the names that are otherwise derived from the alias. */
export interface LookupOptions {
  /** Path of the file, relative to the mount. Default: the alias. */
  readonly file?: string | undefined;
  /** Environment variables, the first one set wins; `[]` for none. Default: the alias as `UPPER_CASE`. */
  readonly env?: string | readonly string[] | undefined;
  /** Name in a vault, with `/version` to pin one. Default: the alias with `-` for what a vault does not allow. */
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
 * @throws `NAME_INVALID` when the alias or a variable name is impossible, `FILE_OUTSIDE_MOUNT` when the path
 * is absolute or climbs out of the mount.
 */
export function lookup(alias: string, options: LookupOptions = {}): Lookup {
  if (options.file === undefined && alias !== '') assertInsideMount(alias, alias);
  if (!ALIAS.test(alias) || alias.startsWith('..')) {
    throw new SecretsError('NAME_INVALID', `${quote(alias)} cannot be the name of a secret`, {
      next: 'Use letters, digits, ".", "_" and "-", with "/" between the parts of a nested alias.',
    });
  }
  const env = options.env === undefined ? [environmentName(alias)] : [options.env].flat();
  for (const variable of env) {
    if (!VARIABLE.test(variable)) {
      throw new SecretsError('NAME_INVALID', `${quote(variable)} cannot be an environment variable`, {
        secret: alias,
        next: 'Use letters, digits and "_", not starting with a digit.',
      });
    }
  }
  const vault = options.vault ?? vaultName(alias);
  if (options.vault !== undefined && !VAULT.test(vault)) {
    throw new SecretsError('NAME_INVALID', `${quote(vault)} cannot be the name of a secret in a vault`, {
      secret: alias,
      next: 'Use up to 127 letters, digits and "-"; a version follows after "/".',
    });
  }
  const file = options.file ?? alias;
  assertInsideMount(alias, file);
  return Object.freeze({ name: alias, file, env: Object.freeze(env), vault });
}

function assertInsideMount(alias: string, file: string): void {
  const parts = file.split('/');
  const climbs = parts.some((part) => part === '..' || part === '.' || part === '');
  // A first part that starts with ".." is the writer's own (..data and the timestamp directories).
  if (climbs || file.startsWith('..') || file.includes('\\') || file.includes('\0')) {
    throw new SecretsError('FILE_OUTSIDE_MOUNT', `the path ${quote(file)} is not inside the mount`, {
      secret: alias,
      next: 'Name a file below the mount with a plain relative path.',
    });
  }
}

function quote(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}
