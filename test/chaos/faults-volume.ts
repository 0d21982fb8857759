import {
  chmodSync,
  closeSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { WRITERS } from '../support/atomic-writer.mjs';
import type { Fault, Scene } from './faults';
import { spoil, spoilers } from './spoil';

/** Faults of a mount that is swapped by `..data`. */
export const volumeFaults: readonly Fault[] = [
  {
    kind: 'swaps in a burst',
    on: 'volume',
    async run({ mount, random }) {
      await mount.publishMany(random.integer(5, 60), { gapMs: random.one([0, 0, 1, 3]) });
    },
  },
  {
    kind: 'swaps between two fixed directories',
    on: 'volume',
    async run({ mount, random }) {
      await mount.publishMany(random.integer(2, 30), { by: 'alternating' });
    },
  },
  {
    kind: 'old directory deleted before the swap',
    on: 'volume',
    async run({ mount, random, pause }) {
      const generation = mount.announce();
      const fresh = mount.prepare(mount.contentOf(generation));
      rmSync(mount.at(mount.current), { recursive: true });
      if (random.chance(0.7)) await pause(0, 300);
      mount.swapTo(fresh);
      mount.isServed(generation);
    },
  },
  {
    kind: 'old directories deleted late',
    on: 'volume',
    async run({ mount, random, pause }) {
      for (let swap = random.integer(2, 8); swap > 0; swap -= 1) {
        const generation = mount.announce();
        mount.swapTo(mount.prepare(mount.contentOf(generation)));
        mount.isServed(generation);
        await pause(0, 10);
      }
      await pause(0, 100);
      mount.removeAllBut(mount.current);
    },
  },
  {
    kind: 'new directory deleted after the swap',
    on: 'volume',
    async run({ mount, pause }) {
      mount.swapTo(mount.prepare(mount.contentOf(mount.announce())));
      rmSync(mount.at(mount.current), { recursive: true });
      await pause(0, 400);
      mount.publish();
    },
  },
  {
    kind: 'directory of the generation denied',
    on: 'volume',
    needsPermissions: true,
    async run({ mount, random, pause }) {
      const generation = mount.announce();
      const fresh = mount.prepare(mount.contentOf(generation));
      chmodSync(mount.at(fresh), random.one([0, 0o311, 0o644]));
      mount.swapTo(fresh);
      await pause(50, 300);
      chmodSync(mount.at(fresh), 0o755);
      mount.isServed(generation);
    },
  },
  {
    kind: '..data deleted',
    on: 'volume',
    async run(scene) {
      const { mount } = scene;
      await withoutData(scene, () => unlinkSync(mount.at('..data')));
    },
  },
  {
    kind: '..data dangles',
    on: 'volume',
    async run(scene) {
      await withoutData(scene, () => scene.mount.swapTo('..2026_01_01_00_00_00.1'));
    },
  },
  {
    kind: '..data leads to itself',
    on: 'volume',
    async run(scene) {
      await withoutData(scene, () => scene.mount.swapTo('..data'));
    },
  },
  {
    kind: '..data leads in a circle',
    on: 'volume',
    async run(scene) {
      const { mount } = scene;
      await withoutData(scene, () => {
        symlinkSync('..data', mount.at('..circle'));
        mount.swapTo('..circle');
      });
      rmSync(mount.at('..circle'), { force: true });
    },
  },
  {
    kind: '..data leads to the mount',
    on: 'volume',
    async run(scene) {
      await withoutData(scene, () => scene.mount.swapTo('.'));
    },
  },
  {
    kind: '..data leads out of the mount',
    on: 'volume',
    async run(scene) {
      const { mount, outside, random } = scene;
      const target = join(outside, `${mount.plan.name}-${random.integer(0, 1e9)}`);
      const content = mount.contentOf(mount.announceSpoiled());
      for (const [key, value] of Object.entries(content)) {
        mkdirSync(join(target, key, '..'), { recursive: true });
        writeFileSync(join(target, key), value);
      }
      await withoutData(scene, () => mount.swapTo(target));
      rmSync(target, { recursive: true });
    },
  },
  {
    kind: '..data is absolute',
    on: 'volume',
    async run({ mount, serves }) {
      const generation = mount.announce();
      mount.swapTo(mount.at(mount.prepare(mount.contentOf(generation))));
      mount.isServed(generation);
      await serves(mount);
      mount.publish();
    },
  },
  {
    kind: '..data is a directory',
    on: 'volume',
    async run(scene) {
      const { mount } = scene;
      await withoutData(
        scene,
        () => {
          // Its files belong together, so they may be served.
          const prepared = mount.prepare(mount.contentOf(mount.announce()));
          unlinkSync(mount.at('..data'));
          renameSync(mount.at(prepared), mount.at('..data'));
        },
        false,
      );
    },
  },
  {
    kind: '..data is a file',
    on: 'volume',
    async run(scene) {
      const { mount } = scene;
      await withoutData(scene, () => {
        unlinkSync(mount.at('..data'));
        writeFileSync(mount.at('..data'), 'no link');
      });
    },
  },
  {
    kind: 'required key missing',
    on: 'volume',
    async run({ mount, random, pause }) {
      const generation = mount.announceSpoiled();
      const { [random.one(mount.plan.keys)]: _, ...rest } = mount.contentOf(generation);
      mount.write(mount.defaultWriter, rest, generation);
      await pause(20, 300);
      mount.publish();
    },
  },
  {
    kind: 'optional key missing',
    on: 'volume',
    fits: ({ optional }) => optional !== undefined,
    async run({ mount, random, pause }) {
      for (let swap = random.integer(1, 3); swap > 0; swap -= 1) {
        const generation = mount.announce(false);
        mount.write(mount.defaultWriter, mount.contentOf(generation, false), generation);
        await pause(20, 200);
      }
      mount.publish();
    },
  },
  ...spoilers
    .filter(({ schema }) => schema === undefined)
    .map(
      ({ kind, needsPermissions }): Fault => ({
        kind: `key of a volume ${kind}`,
        on: 'volume',
        needsPermissions,
        async run({ mount, random, outside, pause }) {
          const prepared = mount.prepare(mount.contentOf(mount.announceSpoiled()));
          const mend = spoil(kind, mount.at(prepared, random.one(mount.plan.keys)), outside);
          mount.swapTo(prepared);
          await pause(20, 300);
          // The real writers would read what is there, and wait for ever for a FIFO.
          const generation = mount.announce();
          mount.swapTo(mount.prepare(mount.contentOf(generation)));
          mount.isServed(generation);
          mount.removeAllBut(mount.current);
          mend();
        },
      }),
    ),
  {
    kind: 'key written in place below ..data',
    on: 'volume',
    async run({ mount, pause, serves }) {
      await serves(mount);
      // As a driver before 0.0.22, which follows the links. The files are half-way until all of them are written.
      const generation = mount.announce();
      const startedAt = performance.now();
      for (const [key, value] of Object.entries(mount.contentOf(generation))) {
        writeFileSync(mount.at('..data', key), value);
      }
      if (performance.now() - startedAt > 50) mount.halfWay.add(generation);
      mount.isServed(generation);
      await pause(0, 50);
    },
  },
  {
    kind: 'volume turned into plain files and back',
    on: 'volume',
    async run({ mount, pause }) {
      const generation = mount.announce();
      const old = mount.current;
      for (const key of mount.topKeys) unlinkSync(mount.at(key));
      for (const _ of WRITERS.plain(mount.plan.at, mount.contentOf(generation)));
      unlinkSync(mount.at('..data'));
      rmSync(mount.at(old), { recursive: true });
      mount.removeAllBut();
      await pause(0, 700);
      mount.publish();
    },
  },
  {
    kind: 'file system full (ENOSPC)',
    on: 'volume',
    async run({ mount, memory, pause }) {
      const generation = mount.announceSpoiled();
      const content = mount.contentOf(generation);
      if (memory !== undefined && mount.plan.at.startsWith(memory)) {
        const ballast = join(memory, 'ballast');
        fill(ballast);
        let code = '';
        try {
          mount.write(mount.defaultWriter, content, generation);
        } catch (error) {
          code = (error as NodeJS.ErrnoException).code ?? '';
        }
        if (code !== 'ENOSPC') throw new Error(`the full file system answered ${code}`);
        await pause(20, 200);
        rmSync(ballast);
      } else {
        // What a writer leaves when a full file system stops it half-way.
        const prepared = mount.prepare(content);
        writeFileSync(mount.at(prepared, 'user'), (content.user ?? '').slice(0, 9));
        rmSync(mount.at(prepared, mount.plan.keys.at(-1) as string));
        await pause(20, 200);
      }
      mount.publish();
    },
  },
  {
    kind: 'writer stopped in the middle of a swap',
    on: 'volume',
    async run({ mount, random, pause }) {
      const done = mount.publishMany(1, { signal: 'SIGSTOP', calls: random.integer(1, 24) });
      await pause(50, 400);
      const waking = setInterval(() => mount.writer.resume(), 20);
      await done;
      clearInterval(waking);
    },
  },
  {
    kind: 'writer killed in the middle of a swap',
    on: 'volume',
    async run({ mount, random, pause }) {
      await mount.publishMany(1, { signal: 'SIGKILL', calls: random.integer(1, 24) });
      await pause(0, 300);
      mount.publish();
    },
  },
];

/** Takes `..data` away for a while, then puts it back or writes the next generation. */
async function withoutData(
  { mount, random, pause }: Scene,
  take: () => void,
  canReturn = true,
): Promise<void> {
  const { current } = mount;
  take();
  await pause(20, random.one([60, 500]));
  if (canReturn && random.chance(0.5)) mount.swapTo(current);
  else mount.publish();
  mount.removeAllBut(mount.current);
}

/** Fills a file system, and leaves room for one small file. */
function fill(path: string): void {
  const descriptor = openSync(path, 'w');
  try {
    for (let size = 64 * 1024; size >= 4096; ) {
      try {
        writeSync(descriptor, Buffer.alloc(size));
      } catch {
        size /= 2;
      }
    }
  } finally {
    closeSync(descriptor);
  }
}
