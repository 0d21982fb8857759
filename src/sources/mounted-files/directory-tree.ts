import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { builtin } from '../../internal/builtins';
import { errorCode } from '../../internal/describe-error';
import { listFiles } from './list-files';
import { isInside, lstatIfThere } from './paths';
import type { Wanted } from './read-files';
import { loadEntryWatch, type WatchEntries } from './watch-entries';

const { lstatSync, readlinkSync, realpathSync, statSync } = builtin('fs');

interface TreeEvents {
  changed(): void;
  /** A directory cannot be watched. */
  failed(directory: string, error: unknown): void;
  /** Every directory is watched, for the first time or again. */
  complete(): void;
}

/** The watch of one directory. */
interface Watched {
  open: boolean;
  close(): void;
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
  #watchEntries: WatchEntries | undefined;
  #fitted: readonly [wanted: Wanted, singleFiles: readonly string[]] = [{ lookups: [], list: false }, []];
  /** By path and identity: a directory that was made anew has the old path, and maybe the old inode. */
  #watched = new Map<string, Watched>();
  #complete = false;
  #closed = false;

  constructor(root: string, events: TreeEvents) {
    this.#root = root;
    this.#events = events;
    void loadEntryWatch().then((watchEntries) => {
      if (this.#closed) return;
      this.#watchEntries = watchEntries;
      this.fit(...this.#fitted);
      // Until now, nothing was watched. If the mount is already gone, no watch opens that would report it.
      this.#events.changed();
    });
  }

  /** `singleFiles`: those that are mounted one by one. The watch of their directory does not see writes to them. */
  fit(wanted: Wanted, singleFiles: readonly string[]): void {
    this.#fitted = [wanted, singleFiles];
    if (this.#closed || this.#watchEntries === undefined) return;
    const { lookups, list } = wanted;
    const kept = new Map<string, Watched>();
    let realRoot = '';
    let limited = false;
    const fail = (directory: string, error: unknown): void => {
      const code = errorCode(error);
      if (code === 'ENOENT' || code === 'ENOTDIR') return;
      // Listing it fails too, and the reading reports that.
      if (list && directory !== realRoot && (code === 'EACCES' || code === 'EPERM')) return;
      limited = true;
      this.#complete = false;
      this.#events.failed(directory, error);
    };
    const settle = () => {
      if (limited || this.#complete || this.#watched !== kept) return;
      this.#complete = [...kept.values()].every(({ open }) => open);
      if (this.#complete) this.#events.complete();
    };
    const enter = (directory: string, only?: string): void => {
      try {
        this.#watch(directory, only, kept, { fail, settle });
      } catch (error) {
        fail(directory, error);
      }
    };
    try {
      enterLinks(this.#root, enter);
      realRoot = realpathSync(this.#root);
      enter(realRoot);
      if (list) listFiles(realRoot, realRoot, enter);
      for (const file of singleFiles) enter(file);
      const entered = new Set<string>();
      for (const { file } of lookups) enterDirectories(realRoot, file, entered, enter);
    } catch (error) {
      // The mount has just vanished, or may not be listed: the reading reports it, and another watcher follows.
      if (errorCode(error) === undefined) throw error;
    }
    for (const [key, watched] of this.#watched) if (!kept.has(key)) watched.close();
    this.#watched = kept;
    settle();
  }

  close(): void {
    this.#closed = true;
    for (const watched of this.#watched.values()) watched.close();
    this.#watched.clear();
  }

  /** Watches a directory, or only the entry `only` of it, or a single file. */
  #watch(
    directory: string,
    only: string | undefined,
    kept: Map<string, Watched>,
    { fail, settle }: { fail(directory: string, error: unknown): void; settle(): void },
  ): void {
    const real = realpathSync(directory);
    const { dev, ino, birthtimeNs } = statSync(real, { bigint: true });
    const key = `${real} ${only ?? ''} ${dev}:${ino}:${birthtimeNs}`;
    if (kept.has(key)) return;
    const running = this.#watched.get(key);
    if (running !== undefined) {
      kept.set(key, running);
      return;
    }
    const watched: Watched = { open: false, close: () => stop() };
    const drop = () => {
      watched.close();
      for (const map of [kept, this.#watched]) if (map.get(key) === watched) map.delete(key);
    };
    kept.set(key, watched);
    const stop = (this.#watchEntries as WatchEntries)(real, {
      changed: (event, name) => {
        // The directory itself was moved or deleted, or an entry of its name was: watch it anew.
        if (event === 'rename' && name === basename(real)) drop();
        if (only === undefined || name === undefined || name === only) this.#events.changed();
      },
      opened: () => {
        if (this.#closed) return;
        watched.open = true;
        settle();
        // Nothing watched the directory between the reading before and now.
        this.#events.changed();
      },
      failed: (error) => {
        drop();
        if (!this.#closed) fail(directory, error);
      },
    });
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
    const stat = lstatIfThere(path);
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
