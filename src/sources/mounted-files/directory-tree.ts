import { type FSWatcher, lstatSync, readlinkSync, realpathSync, statSync, watch } from 'node:fs';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { errorCode } from '../../internal/describe-error';
import { listFiles } from './list-files';
import { isInside } from './paths';
import type { Wanted } from './read-files';

interface TreeEvents {
  changed(): void;
  /** A directory cannot be watched. Called once for each call of `fit`. */
  failed(directory: string, error: unknown): void;
  /** Every directory is watched, for the first time or again. */
  complete(): void;
}

/** More links than this in one path lead in a circle. */
const MAX_LINKS = 40;

/**
 * Watches the directories that decide what the wanted files are: those that hold them, and those that hold a link on the way
 * to them. Files need no watch of their own, and other files of the mount none at all.
 */
export class DirectoryTree {
  readonly #root: string;
  readonly #events: TreeEvents;
  /** By path and identity: a directory that was made anew has the old path, and maybe the old inode. */
  #watchers = new Map<string, FSWatcher>();
  #state: 'new' | 'complete' | 'limited' | 'closed' = 'new';

  constructor(root: string, events: TreeEvents) {
    this.#root = root;
    this.#events = events;
  }

  fit({ lookups, list }: Wanted): void {
    if (this.#state === 'closed') return;
    const kept = new Map<string, FSWatcher>();
    let failure: { readonly directory: string; readonly error: unknown } | undefined;
    let realRoot: string | undefined;
    const enter = (directory: string, only?: string): void => {
      try {
        this.#watch(directory, only, kept);
      } catch (error) {
        const code = errorCode(error);
        if (code === 'ENOENT' || code === 'ENOTDIR') return;
        // Listing it fails too, and the reading reports that.
        if (list && directory !== realRoot && (code === 'EACCES' || code === 'EPERM')) return;
        failure ??= { directory, error };
      }
    };
    try {
      enterLinks(this.#root, enter);
      realRoot = realpathSync(this.#root);
      enter(realRoot);
      if (list) listFiles(realRoot, realRoot, enter);
      const entered = new Set<string>();
      for (const { file } of lookups) enterDirectories(realRoot, file, entered, enter);
    } catch (error) {
      // The mount has just vanished, or may not be listed: the reading reports it, and another watcher follows.
      if (errorCode(error) === undefined) throw error;
    }
    for (const [key, watcher] of this.#watchers) if (!kept.has(key)) watcher.close();
    this.#watchers = kept;
    const before = this.#state;
    this.#state = failure === undefined ? 'complete' : 'limited';
    if (failure !== undefined) this.#events.failed(failure.directory, failure.error);
    else if (before !== 'complete') this.#events.complete();
  }

  close(): void {
    this.#state = 'closed';
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  /** Watches a directory, or only the entry `only` of it. */
  #watch(directory: string, only: string | undefined, kept: Map<string, FSWatcher>): void {
    const { dev, ino, birthtimeNs } = statSync(directory, { bigint: true });
    const key = `${directory} ${only ?? ''} ${dev}:${ino}:${birthtimeNs}`;
    if (kept.has(key)) return;
    const running = this.#watchers.get(key);
    if (running !== undefined) {
      kept.set(key, running);
      return;
    }
    const watcher = watch(directory, { persistent: false }, (event, name) => {
      // The directory itself was moved or deleted, or an entry of its name was: watch it anew.
      if (event === 'rename' && name === basename(directory)) this.#drop(key, watcher);
      if (only === undefined || name === null || name === only) this.#events.changed();
    });
    watcher.on('error', (error) => {
      this.#drop(key, watcher);
      if (this.#state === 'closed') return;
      this.#state = 'limited';
      this.#events.failed(directory, error);
    });
    kept.set(key, watcher);
  }

  #drop(key: string, watcher: FSWatcher): void {
    watcher.close();
    if (this.#watchers.get(key) === watcher) this.#watchers.delete(key);
  }
}

/** Enters each directory that holds a link on the way to the mount. */
function enterLinks(root: string, enter: (directory: string, only: string) => void): void {
  for (let path = root; path !== dirname(path); path = dirname(path)) {
    if (lstatSync(path).isSymbolicLink()) enter(dirname(path), basename(path));
  }
}

/** Enters each directory whose entries decide what `file` is, before its entries are examined. */
function enterDirectories(
  realRoot: string,
  file: string,
  entered: Set<string>,
  enter: (directory: string) => void,
): void {
  let directory = realRoot;
  let parts = file.split('/');
  for (let links = 0; parts.length > 0 && links < MAX_LINKS; ) {
    if (!entered.has(directory)) {
      entered.add(directory);
      enter(directory);
    }
    const path = join(directory, parts.shift() as string);
    const stat = lstatSync(path, { throwIfNoEntry: false });
    if (stat?.isSymbolicLink()) {
      links += 1;
      const target = resolve(directory, readlinkSync(path));
      // Reading the file refuses it.
      if (!isInside(realRoot, target)) return;
      parts = [...relative(realRoot, target).split(sep).filter(Boolean), ...parts];
      directory = realRoot;
    } else if (stat?.isDirectory()) {
      directory = path;
    } else {
      return;
    }
  }
}
