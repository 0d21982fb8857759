import { renameSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Fault, Scene } from './faults';
import { SETTLE_MS } from './plan';
import { MOODS } from './slow-source';

/** Faults of the process with the stores. */
export const processFaults: readonly Fault[] = [
  {
    kind: 'no descriptor free (EMFILE)',
    on: 'process',
    alone: true,
    async run({ holder, mount, mounts, random, pause }) {
      await holder.call({ call: 'takeDescriptors' });
      for (const one of mounts) one.publish();
      await pause(50, 500);
      if (random.chance(0.5)) await mount.publishMany(10);
      await holder.call({ call: 'giveDescriptors' });
    },
  },
  {
    kind: 'no watch free (ENOSPC), mounts made anew',
    on: 'process',
    async run({ holder, mounts, random, pause, serves }) {
      await holder.call({ call: 'takeWatches' });
      for (const mount of mounts) {
        if (random.chance(0.6)) rmSync(mount.plan.path, { recursive: true });
        mount.publish();
      }
      await pause(100, 300);
      // Without a watch, the poll finds the rotation.
      for (const mount of mounts) mount.publish();
      await Promise.all(mounts.map((mount) => serves(mount)));
      await holder.call({ call: 'giveWatches' });
    },
  },
  {
    kind: 'event loop stalled',
    on: 'process',
    async run({ holder, mount, random }) {
      for (let round = random.integer(1, 3); round > 0; round -= 1) {
        const stall = holder.call({ call: 'stall', ms: random.integer(100, 500) });
        await Promise.all([stall, mount.publishMany(random.integer(1, 20), { gapMs: 5 })]);
      }
    },
  },
  {
    kind: 'clock jumps ahead',
    on: 'process',
    run: (scene) => clockJumps(scene, scene.random.one([1, 60, 3600, 86_400 * 400]) * 1000),
  },
  {
    kind: 'clock jumps back',
    on: 'process',
    run: (scene) => clockJumps(scene, -scene.random.one([1, 60, 3600, 86_400 * 400]) * 1000),
  },
  {
    kind: 'process with the stores stopped',
    on: 'process',
    async run({ holder, mounts, random, pause }) {
      holder.signal('SIGSTOP');
      await Promise.all(mounts.map((mount) => mount.publishMany(random.integer(1, 20))));
      await pause(50, 500);
      holder.signal('SIGCONT');
    },
  },
  {
    kind: 'process with the stores stopped again and again',
    on: 'process',
    async run({ holder, mount, random, pause }) {
      const writing = mount.publishMany(40, { gapMs: 4 });
      for (let round = random.integer(4, 10); round > 0; round -= 1) {
        holder.signal('SIGSTOP');
        await pause(1, 30);
        holder.signal('SIGCONT');
        await pause(1, 15);
      }
      await writing;
    },
  },
  {
    kind: 'queue of watch events overflows',
    on: 'process',
    async run({ holder, mounts, pause }) {
      holder.signal('SIGSTOP');
      for (const mount of mounts) {
        if (mount === mounts[0]) rename(mount.at('..one'), mount.at('..other'), 4250);
        mount.publish();
      }
      await pause(0, 50);
      holder.signal('SIGCONT');
    },
  },
  {
    kind: 'refresh called in a burst',
    on: 'process',
    async run({ holder, mount, random }) {
      const refreshing = holder.call({ call: 'refresh', times: random.integer(20, 200) });
      await Promise.all([refreshing, mount.publishMany(20)]);
    },
  },
  {
    kind: 'slow or failing source',
    on: 'process',
    async run({ holder, mounts, random, pause }) {
      await holder.call({ call: 'mood', mood: random.one(MOODS) });
      for (const mount of mounts) mount.publish();
      await pause(50, random.one([300, 2500]));
      for (const mount of mounts) mount.publish();
      await holder.call({ call: 'mood', mood: 'ok' });
      await holder.call({ call: 'refresh', times: 1 });
    },
  },
  {
    kind: 'listeners that throw, reject and refresh',
    on: 'process',
    async run({ holder, mounts, serves }) {
      await holder.call({ call: 'badListeners' });
      for (let round = 0; round < 3; round += 1) {
        for (const mount of mounts) mount.publish();
        await Promise.all(mounts.map((mount) => serves(mount)));
      }
      await holder.call({ call: 'goodListeners' });
    },
  },
  {
    kind: 'stores closed and opened during swaps',
    on: 'process',
    alone: true,
    // A volume below a plain directory may keep changing for too long to be opened.
    fits: ({ layout, path, at }) => layout === 'volume' && path === at,
    async run({ holder, mount, random }) {
      const writing = mount.publishMany(random.integer(10, 60), { gapMs: 2 });
      await holder.call({ call: 'reopen' });
      await writing;
    },
  },
  {
    kind: 'another store opened on a broken mount',
    on: 'process',
    alone: true,
    async run({ holder, mount, outside }) {
      const missing = await holder.call<string>({ call: 'openAnother', path: join(outside, 'missing') });
      if (missing !== 'MOUNT_MISSING') throw new Error(`open on a missing mount: ${missing}`);
      await holder.call({ call: 'openAnother', path: mount.plan.path });
      mount.publish();
    },
  },
  {
    kind: 'stores opened without a free descriptor',
    on: 'process',
    alone: true,
    async run({ holder, mount, pause }) {
      await holder.call({ call: 'takeDescriptors' });
      await holder.call({ call: 'openAnother', path: mount.plan.path });
      mount.publish();
      await pause(0, 100);
      await holder.call({ call: 'giveDescriptors' });
    },
  },
];

async function clockJumps({ holder, mounts, random, pause, serves }: Scene, ms: number): Promise<void> {
  await holder.call({ call: 'clock', ms });
  for (let round = random.integer(1, 3); round > 0; round -= 1) {
    await Promise.all(mounts.map((mount) => mount.publishSlowly(() => pause(SETTLE_MS / 4, SETTLE_MS / 2))));
    await Promise.all(mounts.map((mount) => serves(mount)));
  }
  await pause(0, 100);
  await holder.call({ call: 'clock', ms: 0 });
  await Promise.all(mounts.map((mount) => mount.publishSlowly(() => pause(SETTLE_MS / 4, SETTLE_MS / 2))));
}

/** Makes four events each time. The kernel drops what comes after 16 384 of them, a rotation too. */
function rename(one: string, other: string, times: number): void {
  writeFileSync(one, '');
  for (let count = 0; count < times; count += 1) {
    renameSync(one, other);
    renameSync(other, one);
  }
  unlinkSync(one);
}
