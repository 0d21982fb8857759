import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import type { Fault, Scene } from './faults';

/** Faults of the mount directory itself. */
export const mountFaults: readonly Fault[] = [
  {
    kind: 'mount denied',
    on: 'any mount',
    needsPermissions: true,
    run: (scene) => denied(scene, scene.mount.plan.path),
  },
  {
    kind: 'directory above the mount denied',
    on: 'any mount',
    needsPermissions: true,
    run: (scene) => denied(scene, dirname(scene.mount.plan.path)),
  },
  {
    kind: 'mount removed and made again',
    on: 'any mount',
    async run({ mount, random, pause }) {
      rmSync(mount.plan.path, { recursive: true });
      if (random.chance(0.7)) await pause(0, 400);
      mount.publish();
    },
  },
  {
    kind: 'mount removed and made again, several times',
    on: 'any mount',
    async run({ mount, random, pause }) {
      for (let round = random.integer(2, 6); round > 0; round -= 1) {
        rmSync(mount.plan.path, { recursive: true });
        await pause(0, 30);
        mount.publish();
        await pause(0, 30);
      }
    },
  },
  {
    kind: 'directory above the mount removed',
    on: 'any mount',
    async run({ mount, pause }) {
      rmSync(dirname(mount.plan.path), { recursive: true });
      await pause(0, 300);
      mount.publish();
    },
  },
  {
    kind: 'mount moved away and back',
    on: 'any mount',
    async run({ mount, random, pause }) {
      const { path } = mount.plan;
      renameSync(path, `${path}-away`);
      await pause(0, 400);
      renameSync(`${path}-away`, path);
      if (random.chance(0.5)) mount.publish();
    },
  },
  {
    kind: 'mount moved away and made anew',
    on: 'any mount',
    async run({ mount, pause }) {
      const { path } = mount.plan;
      renameSync(path, `${path}-away`);
      await pause(0, 200);
      mount.publish();
      rmSync(`${path}-away`, { recursive: true });
    },
  },
  {
    kind: 'mount replaced by rename',
    on: 'any mount',
    async run({ mount, random, pause }) {
      const { path } = mount.plan;
      const generation = mount.announce();
      mount.writeElsewhere(`${path}-new`, generation);
      await pause(0, 100);
      renameSync(path, `${path}-old`);
      if (random.chance(0.5)) await pause(0, 50);
      renameSync(`${path}-new`, path);
      mount.isServed(generation);
      // The one before stays for a while, with a watch on it.
      await pause(0, 300);
      rmSync(`${path}-old`, { recursive: true });
    },
  },
  {
    kind: 'mount replaced by a file',
    on: 'any mount',
    async run({ mount, pause }) {
      const { path } = mount.plan;
      rmSync(path, { recursive: true });
      writeFileSync(path, 'no directory');
      await pause(20, 300);
      mount.publish();
    },
  },
  {
    kind: 'mount replaced by a link',
    on: 'any mount',
    async run({ mount, random, pause, serves }) {
      const { path } = mount.plan;
      renameSync(path, `${path}-real`);
      symlinkSync(random.chance(0.5) ? `${path}-real` : 'mount-real', path);
      await pause(0, 100);
      for (let round = random.integer(1, 3); round > 0; round -= 1) {
        const generation = mount.announce();
        mount.write(mount.defaultWriter, mount.contentOf(generation), generation);
        mount.isServed(generation);
        await serves(mount);
      }
      rmSync(path);
      renameSync(`${path}-real`, path);
    },
  },
  {
    kind: 'mount leads in a circle',
    on: 'any mount',
    async run({ mount, pause }) {
      const { path } = mount.plan;
      renameSync(path, `${path}-away`);
      symlinkSync('mount', path);
      await pause(20, 300);
      rmSync(path);
      renameSync(`${path}-away`, path);
      mount.publish();
    },
  },
  {
    kind: 'file system mounted over the mount and taken away',
    on: 'any mount',
    needsMounts: true,
    async run({ mount, random, pause }) {
      const { path } = mount.plan;
      run('mount', '-t', 'tmpfs', '-o', 'size=1m,mode=755', 'chaos', path);
      await pause(20, 400);
      run('umount', '--lazy', path);
      if (random.chance(0.5)) mount.publish();
    },
  },
  {
    kind: 'mount emptied',
    on: 'any mount',
    async run({ mount, pause }) {
      const { path } = mount.plan;
      for (const entry of readdirSync(path)) rmSync(join(path, entry), { recursive: true });
      await pause(20, 400);
      mount.publish();
    },
  },
];

/** Takes a permission of a directory away, and gives it back. The writer rotates meanwhile, if it may. */
async function denied({ mount, random, isOtherUser, pause }: Scene, directory: string): Promise<void> {
  if (!existsSync(directory)) mkdirSync(directory);
  chmodSync(directory, isOtherUser ? random.one([0, 0o700, 0o311, 0o644]) : 0);
  if (isOtherUser && random.chance(0.7)) {
    const generation = mount.announce();
    mount.write(mount.defaultWriter, mount.contentOf(generation), generation);
    mount.isServed(generation);
  }
  await pause(50, 400);
  chmodSync(directory, 0o755);
  if (random.chance(0.5)) mount.publish();
}

function run(command: string, ...more: string[]): void {
  const { status, stderr } = spawnSync(command, more, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} ended with ${status}: ${stderr}`);
}
