import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { WRITERS, type WriterName } from '../support/atomic-writer.mjs';
import { type MountPlan, SETTLE_MS } from './plan';
import { textOf } from './values';
import { Writer, type WriterJob } from './writer';

type Content = Readonly<Record<string, string>>;

/** A mount of the run, from the side of those who write it. */
export class Mount {
  readonly plan: MountPlan;
  readonly writer = new Writer();
  /** Generations that were whole on disk, with or without the optional key. A snapshot may show these and no others. */
  readonly whole = new Map<number, { readonly hasOptional: boolean }>();
  /** Generations of files whose writer paused for so long that the store may have seen them half-way. */
  readonly halfWay = new Set<number>();
  #last = 0;
  #newest = 0;

  constructor(plan: MountPlan) {
    this.plan = plan;
  }

  /** The generation that the store has to serve once nothing is wrong. */
  get newest(): number {
    return this.#newest;
  }

  /** Takes the number of a generation that will be whole on disk. */
  announce(hasOptional = true): number {
    this.#last += 1;
    this.whole.set(this.#last, { hasOptional });
    return this.#last;
  }

  /** Takes the number of a generation that no snapshot may show. */
  announceSpoiled(): number {
    this.#last += 1;
    return this.#last;
  }

  /** Says that this generation is on disk now, and nothing hides it. */
  isServed(generation: number): void {
    this.#newest = generation;
  }

  contentOf(generation: number, hasOptional = true): Content {
    const { name, keys, optional } = this.plan;
    const all = optional === undefined || !hasOptional ? keys : [...keys, optional];
    return Object.fromEntries(all.map((key) => [key, textOf(name, key, generation)]));
  }

  /** Clears away what a fault left, and writes the next generation. */
  publish(writer: WriterName = this.defaultWriter): number {
    const generation = this.announce();
    this.repair();
    this.write(writer, this.contentOf(generation), generation);
    this.isServed(generation);
    return generation;
  }

  /** As `publish`, with a pause between the files of a mount of files. */
  async publishSlowly(pause: () => Promise<void>): Promise<void> {
    if (this.plan.layout === 'volume') {
      this.publish();
      return;
    }
    const generation = this.announce();
    let last = performance.now();
    for (const [index, [key, value]] of Object.entries(this.contentOf(generation)).entries()) {
      if (index > 0) await pause();
      writeFileSync(this.at(key), value);
      this.tookMs(generation, performance.now() - last);
      last = performance.now();
    }
    this.isServed(generation);
  }

  get defaultWriter(): WriterName {
    if (this.plan.layout === 'files') return 'plain';
    return this.#last % 2 === 0 ? 'kubelet' : 'driver';
  }

  write(writer: WriterName, content: Content, generation: number): void {
    const startedAt = performance.now();
    for (const _ of WRITERS[writer](this.plan.at, content));
    this.tookMs(generation, performance.now() - startedAt);
  }

  /** Writes a generation into another directory, as a mount that will take the place of this one. */
  writeElsewhere(root: string, generation: number): void {
    const at = join(root, relative(this.plan.path, this.plan.at));
    mkdirSync(at, { recursive: true });
    for (const _ of WRITERS[this.defaultWriter](at, this.contentOf(generation)));
  }

  /** Notes how long the files of a generation were half-way. */
  tookMs(generation: number, ms: number): void {
    if (this.plan.layout === 'files' && ms > 0.8 * SETTLE_MS) this.halfWay.add(generation);
  }

  /** Lets the other process write whole generations, one after the other. */
  async publishMany(
    times: number,
    options: Pick<WriterJob, 'gapMs' | 'signal' | 'calls'> & { readonly by?: WriterName } = {},
  ): Promise<'done' | 'killed'> {
    const { by = this.defaultWriter, ...job } = options;
    this.repair();
    const generations = Array.from({ length: times }, () => this.announce());
    const contents = generations.map((generation) => this.contentOf(generation));
    const longestGapMs = await this.writer.run({ writer: by, root: this.plan.at, contents, ...job });
    if (longestGapMs === undefined) return 'killed';
    for (const generation of generations) this.tookMs(generation, longestGapMs);
    this.isServed(generations.at(-1) as number);
    return 'done';
  }

  /** Makes the directory of the next generation, without a swap. Returns its name. */
  prepare(content: Content): string {
    const name = `..2026_01_01_00_00_00.${Math.random().toString().slice(2, 12)}`;
    for (const [key, value] of Object.entries(content)) {
      mkdirSync(dirname(this.at(name, key)), { recursive: true });
      writeFileSync(this.at(name, key), value);
    }
    return name;
  }

  /** Points `..data` at a directory with one rename. */
  swapTo(target: string): void {
    symlinkSync(target, this.at('..data_tmp'));
    renameSync(this.at('..data_tmp'), this.at('..data'));
  }

  /** The name of the directory that `..data` leads to. */
  get current(): string {
    return readlinkSync(this.at('..data'));
  }

  removeAllBut(...kept: string[]): void {
    for (const name of readdirSync(this.plan.at)) {
      if (name.startsWith('..') && name !== '..data' && !kept.includes(name)) {
        rmSync(this.at(name), { recursive: true, force: true });
      }
    }
  }

  /** Brings the directories back into the state in which a writer can write. */
  repair(): void {
    const { at, path, layout, keys } = this.plan;
    for (const directory of [dirname(path), path, at]) {
      if (lstat(directory)?.isDirectory() !== true) rmSync(directory, { recursive: true, force: true });
      mkdirSync(directory, { recursive: true });
      chmodSync(directory, 0o755);
    }
    if (layout === 'files') {
      for (const key of keys) {
        if (lstat(this.at(key))?.isFile()) chmodSync(this.at(key), 0o644);
        else rmSync(this.at(key), { recursive: true, force: true });
      }
      return;
    }
    rmSync(this.at('..data_tmp'), { recursive: true, force: true });
    const data = lstat(this.at('..data'));
    const target = data?.isSymbolicLink() ? this.current : undefined;
    if (target === undefined || !/^\.\.[^/]+$/.test(target) || !isDirectory(this.at(target))) {
      rmSync(this.at('..data'), { recursive: true, force: true });
    } else chmodSync(this.at(target), 0o755);
    for (const key of this.topKeys) {
      if (lstat(this.at(key))?.isSymbolicLink() === false) rmSync(this.at(key), { recursive: true });
    }
  }

  /** The entries next to `..data`. */
  get topKeys(): string[] {
    return [...new Set(Object.keys(this.contentOf(0)).map((key) => key.split('/')[0] as string))];
  }

  at(...parts: string[]): string {
    return join(this.plan.at, ...parts);
  }
}

function lstat(path: string) {
  return lstatSync(path, { throwIfNoEntry: false });
}

function isDirectory(path: string): boolean {
  return existsSync(path) && (lstat(path)?.isDirectory() ?? false);
}
