// Owns one mount and writes it as the Secrets Store CSI driver does. Plain JavaScript starts without a loader.
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setImmediate, setTimeout } from 'node:timers/promises';

let base;
let path;
let layout;
let recreate;
let files = {};
let stopped = true;

const firstParts = (content) => [...new Set(Object.keys(content).map((name) => name.split('/')[0]))];

function writeFile(target, value) {
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, value, { mode: 0o644 });
}

/** Writes the next generation. Returns the monotonic time right after it became visible. */
function swap(next) {
  const previous = files;
  files = next;
  if (layout === 'plain') {
    for (const [name, value] of Object.entries(next)) writeFile(join(path, name), value);
    const at = process.hrtime.bigint();
    for (const name of Object.keys(previous)) if (!(name in next)) unlinkSync(join(path, name));
    return at;
  }
  if (layout === 'alternating') return swapAlternating(next);
  const data = join(path, '..data');
  const old = existsSync(data) ? readlinkSync(data) : undefined;
  const time = new Date().toISOString().slice(0, 19).replace(/[-T:]/g, '_');
  const fresh = `..${time}.${Math.floor(Math.random() * 2 ** 32)}`;
  mkdirSync(join(path, fresh), { mode: 0o700 });
  chmodSync(join(path, fresh), 0o755);
  for (const [name, value] of Object.entries(next)) writeFile(join(path, fresh, name), value);
  const before = firstParts(previous);
  const wanted = firstParts(next);
  for (const entry of wanted)
    if (!before.includes(entry)) symlinkSync(join('..data', entry), join(path, entry));
  symlinkSync(fresh, join(path, '..data_tmp'));
  renameSync(join(path, '..data_tmp'), data);
  const at = process.hrtime.bigint();
  for (const entry of before) if (!wanted.includes(entry)) unlinkSync(join(path, entry));
  if (old !== undefined) rmSync(join(path, old), { recursive: true });
  return at;
}

/** Rewrites the inactive one of two fixed directories, then points `..data` at it. */
function swapAlternating(next) {
  const data = join(path, '..data');
  const inactive = existsSync(data) && readlinkSync(data) === '..a' ? '..b' : '..a';
  if (recreate) rmSync(join(path, inactive), { recursive: true, force: true });
  for (const [name, value] of Object.entries(next)) writeFile(join(path, inactive, name), value);
  symlinkSync(inactive, join(path, '..data_tmp'));
  renameSync(join(path, '..data_tmp'), data);
  return process.hrtime.bigint();
}

const numbered = ({ names, prefix }, number) =>
  Object.fromEntries(names.map((name) => [name, `${prefix}${number}`]));

async function pause(gapMs) {
  // Without a pause too, the stop message has to get through.
  if (gapMs > 0) await setTimeout(gapMs);
  else await setImmediate();
}

const commands = {
  start(options) {
    base = options.path === undefined ? mkdtempSync(join(tmpdir(), 'hot-secrets-')) : undefined;
    path = options.path ?? join(base, 'mount');
    layout = options.layout;
    recreate = options.recreate;
    mkdirSync(path, { recursive: true });
    swap(options.content);
    return path;
  },
  rotate({ values }) {
    return swap({ ...files, ...values });
  },
  remove({ names }) {
    return swap(Object.fromEntries(Object.entries(files).filter(([name]) => !names.includes(name))));
  },
  async swapTimes({ times, gapMs, ...pattern }) {
    const at = [];
    for (let number = 1; number <= times; number += 1) {
      at.push(swap({ ...files, ...numbered(pattern, number) }));
      if (number < times) await pause(gapMs);
    }
    return at;
  },
  async swapUntilStopped({ gapMs, ...pattern }) {
    let number = 0;
    for (stopped = false; !stopped; await pause(gapMs)) {
      number += 1;
      swap({ ...files, ...numbered(pattern, number) });
    }
    return number;
  },
  stopSwapping() {
    stopped = true;
  },
};

function end() {
  if (path !== undefined) rmSync(base ?? path, { recursive: true, force: true });
  process.exit(0);
}

process.on('message', async ({ id, command, ...options }) => {
  if (command === 'end') return end();
  try {
    const result = await commands[command](options);
    if (process.connected) process.send({ id, result });
  } catch (error) {
    if (process.connected) process.send({ id, error: `${error.code ?? error.name} in ${command}` });
  }
});
process.on('disconnect', end);
// Ctrl+C in a terminal reaches this process too. It removes the mount only when the parent ends.
process.on('SIGINT', () => {});
