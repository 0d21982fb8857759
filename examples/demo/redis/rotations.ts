import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { MountWriter } from '../../../test/support/mount-writer';
import type { RedisServer } from '../../../test/support/redis';

/** How a rotation reaches the service. */
export type Way = 'two-users' | 'late-file' | 'wrong-first';

export const wayTitles: Readonly<Record<Way, string>> = {
  'two-users': 'two alternating users',
  'late-file': 'sessions killed, file 2 s late',
  'wrong-first': 'wrong password first',
};

/** What a rotation changes: the server and the mount. */
export interface Stage {
  readonly server: RedisServer;
  readonly mount: MountWriter;
  /** The user whose name is in the mount. */
  user: string;
}

const RIGHTS = ['~*', '+@all'];
const FILE_LATE_MS = 2_000;
const WRONG_FILE_MS = 1_500;
const SETTLE_MS = 1_500;

export const newPassword = () => randomBytes(16).toString('hex');

/** Gives a user a new password, the only one that works from now on. Open sessions stay open. */
export async function changePassword(server: RedisServer, user: string): Promise<string> {
  const password = newPassword();
  await server.user(user, 'on', 'resetpass', `>${password}`, ...RIGHTS);
  return password;
}

/** Performs one rotation, and gives the service time to settle. */
export async function rotate(stage: Stage, way: Way): Promise<void> {
  await ways[way](stage);
  await sleep(SETTLE_MS);
}

const ways: Readonly<Record<Way, (stage: Stage) => Promise<void>>> = {
  // The other user gets a new password, then both files change together: both credentials work throughout.
  async 'two-users'(stage) {
    const { server, mount } = stage;
    const former = stage.user;
    stage.user = former === 'app-blue' ? 'app-green' : 'app-blue';
    const password = await changePassword(server, stage.user);
    await mount.rotate({ 'redis-user': stage.user, 'redis-password': password });
    await sleep(SETTLE_MS);
    // Nobody should be left.
    await server.kill(former);
  },

  // The server has the new password immediately and ends every session; the mount follows after the driver's next poll.
  async 'late-file'({ server, mount, user }) {
    const password = await changePassword(server, user);
    await server.kill(user);
    await sleep(FILE_LATE_MS);
    await mount.rotate({ 'redis-password': password });
  },

  // An operator pastes a wrong value and corrects it later.
  async 'wrong-first'({ server, mount, user }) {
    const password = await changePassword(server, user);
    await mount.rotate({ 'redis-password': newPassword() });
    await sleep(WRONG_FILE_MS);
    await mount.rotate({ 'redis-password': password });
  },
};
