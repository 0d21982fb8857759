/** How often each store polls, in milliseconds. */
export const POLL_MS = 150;
/** How long the files of a plain mount have to be at rest, in milliseconds. */
export const SETTLE_MS = 120;
/** Time limit of one read of a source, in milliseconds. */
export const REFRESH_TIMEOUT_MS = 1500;

/** A mount and the store that reads it. */
export interface MountPlan {
  readonly name: string;
  /** `volume` is swapped by `..data`; `files` are written one by one. */
  readonly layout: 'volume' | 'files';
  /** What the store is given. */
  readonly path: string;
  /** Where the writer works: `path` or a directory below it. */
  readonly at: string;
  /** Aliases below `at`. They belong together. */
  readonly keys: readonly string[];
  /** An alias below `at` whose secret is optional. */
  readonly optional?: string;
  /** How the store reads it. `variable` reads the only key by a variable that names its file. */
  readonly store: 'declared' | 'discovery' | 'variable';
}

/** The mounts of a run. Those of `memory` lie in a small file system in memory if there is one. */
export function mountPlans(base: string, memory: string): MountPlan[] {
  const [volume, discovered, nested, plain, single] = [
    `${memory}/of-volume/mount`,
    ...['discovered', 'nested', 'plain', 'single'].map((name) => `${base}/of-${name}/mount`),
  ] as [string, string, string, string, string];
  const pair = ['user', 'password'];
  return [
    {
      ...{ name: 'volume', layout: 'volume', path: volume, at: volume, store: 'declared' },
      ...{ keys: [...pair, 'db/primary/password'], optional: 'extra' },
    },
    {
      ...{ name: 'discovered', layout: 'volume', path: discovered, at: discovered, store: 'discovery' },
      keys: [...pair, 'db/primary/password'],
    },
    {
      ...{ name: 'nested', layout: 'volume', path: nested, at: `${nested}/db`, store: 'discovery' },
      keys: pair,
    },
    { name: 'plain', layout: 'files', path: plain, at: plain, store: 'declared', keys: pair },
    { name: 'single', layout: 'files', path: single, at: single, store: 'variable', keys: ['token'] },
  ];
}

/** The alias of a key for the store. */
export function aliasOf({ path, at }: MountPlan, key: string): string {
  return at === path ? key : `${at.slice(path.length + 1)}/${key}`;
}
