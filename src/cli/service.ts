import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { isSecretsError, type SecretsError } from '../errors';
import { describeError, errorCode } from '../internal/describe-error';
import { bounded } from '../internal/time';
import { environment } from '../sources/environment';
import { mountedFiles } from '../sources/mounted-files/mounted-files';
import { isStore } from '../store/assert-store';
import { SecretStore } from '../store/open';
import type { OpenOptions, SecretStore as Store } from '../store/types';
import { UsageError } from './output';

/** What a module of the user exports: an open store, or the options to open one. */
export type Service =
  | { readonly store: Store }
  | { readonly options: OpenOptions }
  /** The store did not open. */
  | { readonly failure: SecretsError }
  /** The module cannot be loaded, or exports nothing of this. */
  | { readonly invalid: string; readonly next?: string };

/** In the order in which they are tried. */
const EXPORTS = ['options', 'store', 'secrets', 'default'];
const OPEN_MS = 60_000;

/** Reads the arguments of a command that opens a store. */
export function parseStoreArgs(args: string[]) {
  return parseArgs({
    args,
    options: {
      mount: { type: 'string', multiple: true },
      store: { type: 'string' },
      json: { type: 'boolean' },
    },
  }).values;
}

/** Loads a module of the user, which may open a store while it loads. */
export async function loadService(path: string): Promise<Service> {
  try {
    const module = (await import(pathToFileURL(resolve(path)).href)) as Record<string, unknown>;
    const inner = (module.default ?? {}) as Record<string, unknown>;
    for (const name of EXPORTS) {
      // A CommonJS module may have its exports only in `default`.
      const service = await serviceOf(module[name] ?? inner[name]);
      if (service !== undefined) return service;
    }
    return { invalid: `exports neither a store nor options (as ${EXPORTS.join(', ')})` };
  } catch (error) {
    if (isSecretsError(error)) return { failure: error };
    if (!existsSync(path)) return { invalid: 'does not exist', next: `Looked for ${resolve(path)}.` };
    if (errorCode(error) === 'ERR_UNKNOWN_FILE_EXTENSION') {
      return {
        invalid: `cannot be loaded: Node ${process.versions.node} does not run this type of file`,
        next: 'Pass the compiled JavaScript.',
      };
    }
    return { invalid: `cannot be loaded: ${describeError(error)}` };
  }
}

async function serviceOf(exported: unknown): Promise<Service | undefined> {
  const value = typeof exported === 'function' && !isClass(exported) ? exported() : exported;
  const late = () => new Error('timeout');
  const given: unknown = await bounded(Promise.resolve(value), OPEN_MS, late);
  if (isStore(given)) return { store: given as Store };
  if (typeof given !== 'object' || given === null) return undefined;
  const { secrets, sources } = given as { readonly secrets?: unknown; readonly sources?: unknown };
  const isOptions = Array.isArray(sources) || (typeof secrets === 'object' && !isStore(secrets));
  return isOptions ? { options: given as OpenOptions } : undefined;
}

function isClass(value: unknown): boolean {
  return /^class\b/.test(Function.prototype.toString.call(value));
}

/** The arguments that say which store a command opens. */
export interface StoreArguments {
  readonly mount?: readonly string[] | undefined;
  readonly store?: string | undefined;
}

/** Opens the store that the arguments name, with listeners. @throws The error of the store. */
export async function openStore(
  { mount, store }: StoreArguments,
  on: NonNullable<OpenOptions['on']>,
): Promise<Store> {
  if (store === undefined) {
    const sources = mount && [...mount.map((path) => mountedFiles(path)), environment()];
    return SecretStore.open({ ...(sources && { sources }), on });
  }
  const service = await loadService(store);
  if ('failure' in service) throw service.failure;
  if ('invalid' in service)
    throw new UsageError(`${store} ${service.invalid}${service.next ? `. ${service.next}` : ''}`);
  if ('options' in service) {
    return SecretStore.open({ ...service.options, on } as OpenOptions & {
      secrets: object;
    }) as Promise<Store>;
  }
  for (const [event, listener] of Object.entries(on)) service.store.on(event as 'change', listener as never);
  return service.store;
}
