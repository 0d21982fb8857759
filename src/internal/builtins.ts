import type { inspect } from 'node:util';

interface Builtins {
  readonly crypto: typeof import('node:crypto');
  readonly fs: typeof import('node:fs');
  readonly module: typeof import('node:module');
  readonly net: typeof import('node:net');
  readonly os: typeof import('node:os');
  readonly perf_hooks: typeof import('node:perf_hooks');
  readonly stream: typeof import('node:stream');
  readonly timers: typeof import('node:timers');
  readonly tls: typeof import('node:tls');
  readonly url: typeof import('node:url');
  readonly util: typeof import('node:util');
  readonly worker_threads: typeof import('node:worker_threads');
}

const loaded: Partial<Builtins> = {};

/**
 * A module of Node, loaded at its first use: together they would double the time that importing this package takes, and an
 * import of `node:fs` loads its streams. They are a part of Node's binary, so that this reads no file and cannot fail, and
 * bundlers leave it alone.
 */
export function builtin<Name extends keyof Builtins>(name: Name): Builtins[Name] {
  loaded[name] ??= process.getBuiltinModule(`node:${name}`) as Builtins[Name];
  return loaded[name] as Builtins[Name];
}

/** `inspect.custom`, without loading `node:util`. */
export const inspectCustom: typeof inspect.custom = Symbol.for('nodejs.util.inspect.custom') as never;
