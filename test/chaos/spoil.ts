import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { basename, join } from 'node:path';

interface Spoiler {
  readonly kind: string;
  readonly needsPermissions?: true;
  /** Only a schema finds it. */
  readonly schema?: true;
  /** Makes a file unusable. Returns what clears away the rest. */
  spoil(path: string, outside: string): unknown;
}

const LARGE = 2 * 1024 * 1024;

/** What a key can become so that its value cannot be used. */
export const spoilers: readonly Spoiler[] = [
  {
    kind: 'is a directory',
    spoil(path) {
      rmSync(path);
      mkdirSync(path);
      writeFileSync(join(path, 'part'), 'a part');
    },
  },
  {
    kind: 'is a FIFO',
    spoil(path) {
      rmSync(path);
      const { status } = spawnSync('mkfifo', [path]);
      if (status !== 0) throw new Error(`mkfifo ended with ${status}`);
    },
  },
  {
    kind: 'is a socket',
    spoil(path) {
      // The path of a socket is short, so it is made above its directory, in the same file system.
      const made = join(path.slice(0, path.indexOf('/of-')), `socket${Math.random().toString().slice(2, 8)}`);
      const server = createServer().listen(made);
      rmSync(path);
      renameSync(made, path);
      return () => server.close();
    },
  },
  { kind: 'is huge', spoil: (path) => truncateSync(path, LARGE) },
  { kind: 'is empty', spoil: (path) => truncateSync(path, 0) },
  {
    kind: 'is not UTF-8',
    spoil: (path) => writeFileSync(path, Buffer.from([0x61, 0xff, 0xfe, 0x80, 0x61])),
  },
  { kind: 'has a NUL', spoil: (path) => writeFileSync(path, 'a\0b') },
  {
    kind: 'is half a value',
    schema: true,
    spoil: (path) => truncateSync(path, Math.max(1, Math.floor(readFileSync(path).length / 2))),
  },
  {
    kind: 'leads to itself',
    spoil(path) {
      rmSync(path);
      symlinkSync(basename(path), path);
    },
  },
  {
    kind: 'leads out of the mount',
    spoil(path, outside) {
      const target = join(outside, `${basename(path)}${Math.random().toString().slice(2, 8)}`);
      renameOrCopy(path, target);
      symlinkSync(target, path);
      return () => rmSync(target);
    },
  },
  { kind: 'is denied', needsPermissions: true, spoil: (path) => chmodSync(path, 0) },
];

/** Makes a file unusable. Returns what clears away the rest. */
export function spoil(kind: string, path: string, outside: string): () => void {
  const mend = spoilers.find((one) => one.kind === kind)?.spoil(path, outside);
  return typeof mend === 'function' ? () => mend() : () => {};
}

function renameOrCopy(path: string, target: string): void {
  writeFileSync(target, readFileSync(path));
  rmSync(path);
}
