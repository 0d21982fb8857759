import { dirname, join } from 'node:path';
import { SecretsError } from '../errors';
import { builtin } from './builtins';
import { errorCode } from './describe-error';
import { isBundled, ownFile, packageOf } from './own-file';

/** The optional packages that are loaded when they are used, each with the oldest version that works. */
export const PEERS = {
  '@aws-sdk/rds-signer': '3.405',
  '@azure/identity': '4.0',
  '@azure/keyvault-secrets': '4.8',
  '@grpc/grpc-js': '1.14',
  '@nestjs/common': '11',
  '@opentelemetry/api': '1.9',
  ioredis: '5.4',
  jose: '6',
  mysql2: '3.0',
  'node-forge': '1.3.2',
  pg: '8.11',
  redis: '6.0',
  undici: '6.19',
} as const;

export type PeerName = keyof typeof PEERS;

/** A module of which only these exports are used. Typed by their names, so that our types need none of its own. */
export type ModuleWith<Export extends string> = Readonly<Record<Export, unknown>>;

/**
 * The module that the caller passed, so that a bundle can contain it, or else the installed one, which is loaded now.
 *
 * @param uses The exports that are needed.
 * @throws `PEER_MISSING` with the command that installs it, `PEER_UNSUPPORTED` for one that is too old.
 */
export function peer<T extends object = Readonly<Record<string, unknown>>>(
  name: PeerName,
  uses: readonly (keyof T & string)[],
  given?: object,
): T {
  if (given !== undefined) return withExports<T>(name, uses, given, 'was passed');
  assertVersion(name);
  return withExports<T>(name, uses, load(name), 'is installed');
}

/** The part of jose that is used; its types are for the inside only. */
export type Jose = typeof import('jose');

/** As `peer`, for jose, which older versions of Node can only import. */
export async function peerJose(uses: readonly (keyof Jose & string)[], given?: object): Promise<Jose> {
  if (given !== undefined) return withExports<Jose>('jose', uses, given, 'was passed');
  assertPeer('jose');
  return withExports<Jose>('jose', uses, await importJose(), 'is installed');
}

/** A literal import, which bundlers follow. In a `try` block, they accept that jose is not installed. */
async function importJose(): Promise<object> {
  try {
    return await import('jose');
  } catch (error) {
    if (isMissing(error, 'jose')) throw missing('jose');
    throw error;
  }
}

/**
 * Checks for an installed package when a process starts rather than at the first use. In a bundle it does nothing: the
 * bundle may contain it.
 * @throws `PEER_MISSING`, `PEER_UNSUPPORTED`.
 */
export function assertPeer(name: PeerName): void {
  if (isBundled()) return;
  assertVersion(name);
  if (installedVersion(name) !== undefined) return;
  try {
    requireFrom(ownBase()).resolve(name);
  } catch (error) {
    // Other codes mean that the package exists, but not for `require`.
    if (isMissing(error, name)) throw missing(name);
  }
}

/** Where packages are looked for: next to this code, then in the working directory, as a bundle may run anywhere. */
function bases(): string[] {
  return [...new Set([ownBase(), workingBase()])];
}

const workingBase = () => join(process.cwd(), 'index.js');
const ownBase = () => ownFile() ?? workingBase();
// Not an import: webpack replaces a `createRequire` that it sees imported.
const requireFrom = (base: string) => builtin('module').createRequire(base);

function load(name: PeerName): object {
  for (const base of bases()) {
    try {
      return requireFrom(base)(name) as object;
    } catch (error) {
      if (!isMissing(error, name)) throw error;
    }
  }
  throw missing(name);
}

/** The version in the package.json of an installed package; undefined where a bundler left that file out. */
function installedVersion(name: PeerName): string | undefined {
  for (const base of bases()) {
    for (const folder of requireFrom(base).resolve.paths?.(name) ?? []) {
      const found = packageOf(join(folder, name))?.version;
      if (found !== undefined) return found;
    }
  }
  return undefined;
}

function assertVersion(name: PeerName): void {
  const version = installedVersion(name);
  if (version === undefined || !isOlder(version, PEERS[name])) return;
  throw new SecretsError('PEER_UNSUPPORTED', `${name} ${version} is installed, which is too old`, {
    next: `Run: ${installCommand(name)}`,
  });
}

function isOlder(version: string, than: string): boolean {
  const [actual, needed] = [version, than].map((one) => one.split(/[.+-]/).map(Number));
  for (const [index, least] of (needed as number[]).entries()) {
    const part = (actual as number[])[index] ?? 0;
    if (part !== least) return part < least;
  }
  return false;
}

/** `import *` of a CommonJS package may have its exports only in `default`. */
function withExports<T>(
  name: PeerName,
  uses: readonly (keyof T & string)[],
  module: object,
  origin: 'was passed' | 'is installed',
): T {
  const lacking = (from: unknown) =>
    uses.filter((one) => (from as Partial<T> | null | undefined)?.[one] === undefined);
  if (lacking(module).length === 0) return module as T;
  const inner = (module as { readonly default?: unknown } | null)?.default;
  if (inner !== undefined && lacking(inner).length === 0) return inner as T;
  const what = `the module ${name} that ${origin} lacks ${lacking(module).join(', ')}`;
  throw new SecretsError('PEER_UNSUPPORTED', what, {
    next:
      origin === 'was passed'
        ? `Pass that of ${name} ${PEERS[name]} or newer.`
        : `Run: ${installCommand(name)}`,
  });
}

/** The command that installs a package that works. */
export function installCommand(name: PeerName): string {
  return `npm install "${name}@>=${PEERS[name]}"`;
}

/** The option that takes the module: the name of the package without its scope and `-js`, in camel case. */
function optionOf(name: PeerName): string {
  return name.replace(/^@[^/]+\/|-js$/g, '').replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
}

function missing(name: PeerName): SecretsError {
  const command = installCommand(name);
  if (!isBundled()) {
    return new SecretsError('PEER_MISSING', `the package "${name}" is not installed`, {
      next: `Run: ${command}`,
    });
  }
  const folder = dirname(ownBase());
  const what = `the package "${name}" is neither in this bundle nor installed where the bundle runs (${folder})`;
  // Decorators take no module; docs/bundling.md says what makes a bundle contain it.
  const first =
    name === '@nestjs/common'
      ? 'Bundle with the condition "module"'
      : `Pass it as the option \`${optionOf(name)}\``;
  return new SecretsError('PEER_MISSING', what, {
    next: `${first}, or mark it as external and run there: ${command}`,
  });
}

// An installed package may lack one of its own dependencies. Its own error explains that better.
function isMissing(error: unknown, name: string): boolean {
  const code = errorCode(error);
  if (code !== 'MODULE_NOT_FOUND' && code !== 'ERR_MODULE_NOT_FOUND') return false;
  // ESM says 'package' and CJS says 'module', both followed by the name in quotes.
  return (error as Error).message.includes(`'${name}'`);
}
