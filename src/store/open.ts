import { type Definition, isDefinition } from '../definitions/definition';
import { secret } from '../definitions/secret';
import { SecretsError } from '../errors';
import { assertNumber, kindOf, ms, passed, readOptions, text } from '../internal/options';
import type { Lookup } from '../secret/lookup';
import type { Source } from '../sources/source';
import { isStore } from './assert-store';
import { declare } from './declared';
import { defaultSources } from './default-sources';
import { LiveStore } from './store';
import type { Definitions, OpenOptions, StoreListeners, SecretStore as StoreOf, ValuesOf } from './types';

const WHERE = 'SecretStore.open';

/** A store of secrets that follows their rotation. */
export interface SecretStore<V = Readonly<Record<string, string>>> extends StoreOf<V> {}

interface Open {
  <const D extends Definitions>(
    options: OpenOptions<D> & { readonly secrets: D },
  ): Promise<SecretStore<ValuesOf<D>>>;
  (options?: Omit<OpenOptions, 'secrets'> & { readonly secrets?: undefined }): Promise<SecretStore>;
}

const open = (async (options?: OpenOptions) => {
  const { name, secrets, sources, on, refreshTimeoutMs, expiryThresholdsDays } = readOptions(WHERE, options, {
    name: text('secrets'),
    secrets: passed<Definitions>(),
    sources: passed<readonly Source[]>(),
    on: passed<StoreListeners>(),
    refreshTimeoutMs: ms(30_000, { least: 1 }),
    expiryThresholdsDays: passed<readonly number[]>(),
  });
  const all = checkedSources(sources ?? (await defaultSources()));
  const definitions = secrets === undefined ? undefined : declared(secrets);
  const store = new LiveStore<Readonly<Record<string, string>>>({
    name,
    sources: all,
    definitions,
    listeners: checkedListeners(on ?? {}),
    timeoutMs: refreshTimeoutMs,
    expiryThresholdsDays: checkedThresholds(expiryThresholdsDays ?? [30, 14, 7, 1]),
  });
  return declare(store, definitions).open();
}) as Open;

function checkedSources(sources: readonly Source[]): readonly Source[] {
  const next = "Leave it out for the default, or pass a list: [mountedFiles('/mnt/secrets-store')].";
  if (!Array.isArray(sources) || sources.length === 0) {
    const given = Array.isArray(sources) ? 'an empty list' : kindOf(sources);
    throw new SecretsError(
      'OPTION_INVALID',
      `${WHERE}: \`sources\` must be a list of sources, not ${given}`,
      { next },
    );
  }
  for (const source of sources) {
    if (typeof source?.read === 'function' && typeof source.name === 'string') continue;
    const what = `${WHERE}: \`sources\` must contain only sources, not ${kindOf(source)} without \`name\` and \`read\``;
    throw new SecretsError('OPTION_INVALID', what, { next });
  }
  return sources;
}

function checkedListeners(on: StoreListeners): StoreListeners {
  if (typeof on === 'object' && on !== null && !Array.isArray(on)) return on;
  throw new SecretsError(
    'OPTION_INVALID',
    `${WHERE}: \`on\` must be an object of listeners, not ${kindOf(on)}`,
    {
      next: 'Pass { error: (error) => …, change: (event) => … }.',
    },
  );
}

function checkedThresholds(days: readonly number[]): readonly number[] {
  if (!Array.isArray(days)) {
    const what = `${WHERE}: \`expiryThresholdsDays\` must be a list of numbers, not ${kindOf(days)}`;
    throw new SecretsError('OPTION_INVALID', what, { next: 'Pass days before expiry: [30, 7].' });
  }
  for (const one of days) assertNumber(WHERE, 'expiryThresholdsDays', one);
  return days;
}

/** Returns the definitions by name, with shorthands expanded. Throws `NAME_DUPLICATE` if two read the same value. */
function declared(definitions: Definitions): Map<string, Definition<unknown>> {
  if (typeof definitions !== 'object' || definitions === null || Array.isArray(definitions)) {
    const what = `${WHERE}: \`secrets\` must be an object of names and definitions, not ${kindOf(definitions)}`;
    throw new SecretsError('OPTION_INVALID', what, { next: "Pass { dbPassword: 'database-password' }." });
  }
  const result = new Map<string, Definition<unknown>>();
  const takenBy = new Map<string, Taken>();
  for (const [name, given] of Object.entries(definitions)) {
    const definition = definitionOf(name, given);
    for (const lookup of definition.lookups) {
      const taken = { name, lookup, shareable: definition.shareable?.includes(lookup) === true };
      for (const place of placesOf(lookup)) {
        const other = takenBy.get(place);
        if (other !== undefined && !mayShare(taken, other)) throw duplicate(name, other.name, place);
        takenBy.set(place, taken);
      }
    }
    result.set(name, definition);
  }
  return result;
}

interface Taken {
  readonly name: string;
  readonly lookup: Lookup;
  readonly shareable: boolean;
}

/** Two definitions may share authorities or a passphrase. One alias must have the same places in both. */
function mayShare(one: Taken, other: Taken): boolean {
  if (!one.shareable || !other.shareable || one.name === other.name) return false;
  const places = ({ lookup }: Taken) => JSON.stringify([lookup.file, lookup.env, lookup.vault]);
  return one.lookup.name !== other.lookup.name || places(one) === places(other);
}

function definitionOf(name: string, given: unknown): Definition<unknown> {
  if (name === '')
    throw new SecretsError('NAME_INVALID', `${WHERE}: a name in \`secrets\` is an empty string`);
  const definition = typeof given === 'string' ? secret.text(given) : given;
  if (isDefinition(definition)) return definition;
  const what = `the definition of "${name}" must be an alias or a definition, not ${kindOf(given)}`;
  throw new SecretsError('OPTION_INVALID', what, {
    secret: name,
    next: "Pass an alias ('database-password') or secret.text, secret.bytes, secret.json, secret.key or secret.tls.",
  });
}

/** Includes the variables: `db-password` and `db_password` are different files, but the same variable. */
function placesOf({ name, file, env }: Lookup): Set<string> {
  return new Set([`the alias "${name}"`, `the file "${file}"`, ...env.map((one) => `the variable ${one}`)]);
}

function duplicate(name: string, other: string, place: string): SecretsError {
  return new SecretsError('NAME_DUPLICATE', `"${other}" and "${name}" both read ${place}`, {
    secret: name,
    next: 'Declare the secret once, or give each a different alias, `file` and `env`.',
  });
}

/**
 * Opens stores. `SecretStore.open()` needs no options. It reads the mount at `$SECRETS_PATH` (or the mounts of platforms, such
 * as `/mnt/secrets-store` and `/run/secrets`), then the Key Vault at `$AZURE_KEY_VAULT_ENDPOINT` if that is set, then the
 * environment. Every file is a text secret under its own name. The option `secrets` declares names, and types their values.
 *
 * `x instanceof SecretStore` is true for every store, even one of another copy of the package.
 *
 * Rejects with `SECRET_MISSING`, `OPTION_UNKNOWN`, `OPTION_INVALID`, or a code of the mount (`MOUNT_…`, `FILE_…`), of a value
 * (`VALUE_…`) or of the definitions (`NAME_…`).
 *
 * @example
 * ```ts
 * const secrets = await SecretStore.open();
 * secrets.reveal('database-password');
 * ```
 */
export const SecretStore: {
  readonly open: Open;
  [Symbol.hasInstance](value: unknown): value is SecretStore<Readonly<Record<string, unknown>>>;
} = class {
  static readonly open = open;

  static [Symbol.hasInstance](value: unknown): value is SecretStore<Readonly<Record<string, unknown>>> {
    return isStore(value);
  }

  constructor() {
    throw new SecretsError('OPTION_INVALID', 'a SecretStore cannot be made with `new`', {
      next: 'It opens asynchronously: await SecretStore.open(…).',
    });
  }
};
