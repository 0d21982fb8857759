// Writes a mount with the system calls of the real writers, in their order. A caller may stop between any two of them.
// Plain JavaScript, so that a child process starts without a loader.
import {
  chmodSync,
  closeSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';

export const WRITERS = {
  kubelet: (root, content) => atomicWriter(root, content, { linksFirst: false }),
  driver: (root, content) => atomicWriter(root, content, { linksFirst: true }),
  *alternating(root, content) {
    const target = linkTarget(join(root, '..data')) === '..a' ? '..b' : '..a';
    yield* writeFiles(join(root, target), content, 'inactive');
    symlinkSync(target, join(root, '..data_tmp'));
    yield 'symlink ..data_tmp';
    renameSync(join(root, '..data_tmp'), join(root, '..data'));
    yield 'rename ..data';
  },
  *plain(root, content) {
    yield* writeFiles(root, content, '');
  },
};

// As the real ones, it fails with EEXIST if a killed writer left `..data_tmp` behind, and removes no timestamp directory but the
// one that `..data` led to.
function* atomicWriter(root, content, { linksFirst }) {
  const data = join(root, '..data');
  const old = linkTarget(data);
  const superfluous = old === undefined ? [] : superfluousPaths(join(root, old), content);
  if (old !== undefined && superfluous.length === 0 && holds(join(root, old), content)) {
    if (!linksFirst) yield* makeLinks(root, content);
    return;
  }
  const fresh = mkdtempSync(join(root, `..${new Date().toISOString().slice(0, 19).replace(/[-T:]/g, '_')}.`));
  yield 'mkdir the new directory';
  chmodSync(fresh, 0o755);
  yield 'chmod the new directory';
  yield* writeFiles(fresh, content, 'new');
  if (linksFirst) yield* makeLinks(root, content);
  try {
    symlinkSync(basename(fresh), join(root, '..data_tmp'));
  } catch (error) {
    rmSync(fresh, { recursive: true });
    throw error;
  }
  yield 'symlink ..data_tmp';
  renameSync(join(root, '..data_tmp'), data);
  yield 'rename ..data';
  if (!linksFirst) yield* makeLinks(root, content);
  for (const path of superfluous) {
    if (path.includes('/')) continue;
    unlinkSync(join(root, path));
    yield `unlink ${path}`;
  }
  if (old !== undefined) yield* removeAll(join(root, old), 'old');
}

function* writeFiles(directory, content, label) {
  for (const [name, value] of Object.entries(content)) {
    const path = join(directory, name);
    yield* makeDirectories(dirname(path), label);
    const descriptor = openSync(path, 'w', 0o644);
    yield `open ${join(label, name)}`;
    writeSync(descriptor, value);
    yield `write ${join(label, name)}`;
    closeSync(descriptor);
    chmodSync(path, 0o644);
    yield `chmod ${join(label, name)}`;
  }
}

function* makeDirectories(directory, label) {
  if (isThere(directory)) return;
  yield* makeDirectories(dirname(directory), label);
  mkdirSync(directory);
  yield `mkdir ${join(label, basename(directory))}`;
}

function* makeLinks(root, content) {
  for (const name of new Set(Object.keys(content).map((path) => path.split('/')[0]))) {
    if (linkTarget(join(root, name)) !== undefined) continue;
    symlinkSync(join('..data', name), join(root, name));
    yield `symlink ${name}`;
  }
}

function* removeAll(directory, label) {
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) yield* removeAll(path, join(label, entry.name));
    else {
      unlinkSync(path);
      yield `unlink ${join(label, entry.name)}`;
    }
  }
  rmdirSync(directory);
  yield `rmdir ${label}`;
}

function superfluousPaths(directory, content) {
  const wanted = new Set(Object.keys(content).flatMap(withDirectories));
  return readdirSync(directory, { recursive: true })
    .map((path) => relative(directory, join(directory, String(path))))
    .filter((path) => !wanted.has(path));
}

function withDirectories(path) {
  const parts = path.split('/');
  return parts.map((_, index) => parts.slice(0, index + 1).join('/'));
}

function holds(directory, content) {
  return Object.entries(content).every(([name, value]) => {
    const path = join(directory, name);
    return isThere(path) && readFileSync(path, 'utf8') === value;
  });
}

function isThere(path) {
  try {
    lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

function linkTarget(path) {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
