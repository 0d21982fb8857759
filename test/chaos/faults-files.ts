import { mkdirSync, renameSync, rmSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs';
import type { Fault } from './faults';
import type { Mount } from './mount';
import { SETTLE_MS } from './plan';
import { spoil, spoilers } from './spoil';

/** Faults of files that are written one by one. */
export const filesFaults: readonly Fault[] = [
  {
    kind: 'files rewritten in a burst',
    on: 'files',
    async run({ mount, random }) {
      await mount.publishMany(random.integer(2, 30), { gapMs: random.one([0, 1, 15]) });
    },
  },
  {
    kind: 'files replaced by rename',
    on: 'files',
    async run({ mount, random, pause }) {
      for (let round = random.integer(1, 4); round > 0; round -= 1) {
        const generation = mount.announce();
        const content = Object.entries(mount.contentOf(generation));
        for (const [key, value] of content) writeFileSync(mount.at(`${key}.tmp`), value);
        timed(mount, generation, () => {
          for (const [key] of content) renameSync(mount.at(`${key}.tmp`), mount.at(key));
        });
        mount.isServed(generation);
        await pause(0, 60);
      }
    },
  },
  {
    kind: 'files truncated and written later',
    on: 'files',
    async run({ mount, random, pause }) {
      for (const key of mount.plan.keys) truncateSync(mount.at(key), 0);
      await pause(10, random.one([80, 1500]));
      mount.publish();
    },
  },
  {
    kind: 'files half-written for a moment',
    on: 'files',
    async run({ mount, random, pause }) {
      const generation = mount.announce();
      const content = Object.entries(mount.contentOf(generation));
      for (const [key, value] of content) writeFileSync(mount.at(key), value.slice(0, value.length / 2));
      await pause(5, random.one([40, 600]));
      timed(mount, generation, () => {
        for (const [key, value] of content) writeFileSync(mount.at(key), value);
      });
      mount.isServed(generation);
    },
  },
  {
    kind: 'pause between the files of a pair',
    on: 'files',
    run: ({ mount, pause }) => mount.publishSlowly(() => pause(0, SETTLE_MS / 2)),
  },
  {
    kind: 'files deleted and made again',
    on: 'files',
    async run({ mount, random, pause }) {
      const gone = random.chance(0.5) ? mount.plan.keys : [random.one(mount.plan.keys)];
      for (const key of gone) unlinkSync(mount.at(key));
      await pause(10, 400);
      mount.publish();
    },
  },
  {
    kind: 'leftovers of an editor',
    on: 'files',
    async run({ mount, pause }) {
      const [key] = mount.plan.keys as [string];
      const left = ['.swp', '~', '.tmp', '.bak'].map((ending) => mount.at(`${key}${ending}`));
      for (const path of left) writeFileSync(path, 'left behind');
      mkdirSync(mount.at('lost+found'), { mode: 0 });
      mount.publish();
      await pause(0, 200);
      for (const path of left) unlinkSync(path);
      rmSync(mount.at('lost+found'), { recursive: true });
    },
  },
  {
    kind: 'writer of files killed',
    on: 'files',
    async run({ mount, random, pause }) {
      await mount.publishMany(1, { signal: 'SIGKILL', calls: random.integer(1, 6) });
      // A writer that is gone pauses for good: the pair may be half-way.
      for (const [generation] of mount.whole) mount.halfWay.add(generation);
      await pause(0, 300);
      mount.publish();
    },
  },
  {
    kind: 'writer of files stopped',
    on: 'files',
    async run({ mount, random, pause }) {
      const done = mount.publishMany(1, { signal: 'SIGSTOP', calls: random.integer(1, 6) });
      await pause(20, 400);
      const waking = setInterval(() => mount.writer.resume(), 20);
      await done;
      clearInterval(waking);
    },
  },
  ...spoilers.map(
    ({ kind, needsPermissions }): Fault => ({
      kind: `file ${kind}`,
      on: 'files',
      needsPermissions,
      async run({ mount, random, outside, pause }) {
        const { keys } = mount.plan;
        const spoiled = random.one(keys);
        const mend = spoil(kind, mount.at(spoiled), outside);
        const content = mount.contentOf(mount.announceSpoiled());
        for (const key of keys) if (key !== spoiled) writeFileSync(mount.at(key), content[key] as string);
        await pause(20, 400);
        mount.publish();
        mend();
      },
    }),
  ),
];

function timed(mount: Mount, generation: number, write: () => void): void {
  const startedAt = performance.now();
  write();
  mount.tookMs(generation, performance.now() - startedAt);
}
