import { setTimeout as sleep } from 'node:timers/promises';
import type { MountWriter } from '../../../test/support/mount-writer';
import type { Clock } from '../clock';
import { type Connection, type Database, newPassword, type Role, untilGone } from './database';

/** How a rotation reaches the service. */
export type Way = 'two-roles' | 'late-file' | 'wrong-first';

export const wayTitles: Readonly<Record<Way, string>> = {
  'two-roles': 'two alternating roles',
  'late-file': 'one role, file 2 s late',
  'wrong-first': 'wrong password first',
};

export interface RotationEvent {
  readonly at: number;
  readonly kind: 'database' | 'file' | 'wrong-file';
}

/** One recorded rotation. Times are in milliseconds on the run's clock. */
export interface Rotation {
  readonly way: Way;
  readonly events: readonly RotationEvent[];
  /** From the first change, in the database or the file, until the last old connection is gone; at least 1 s. */
  readonly window: { readonly from: number; readonly to: number };
  /** From delivery of the right credential until then. Undefined: some were still open when the next rotation began. */
  readonly oldConnectionsGoneMs: number | undefined;
  readonly peakConnections: number;
}

/** What a rotation changes: the database and the mount. */
export interface Stage {
  readonly database: Database;
  readonly mount: MountWriter;
  readonly clock: Clock;
  /** The role whose name is in the mount. */
  role: Role;
}

const FILE_LATE_MS = 2_000;
const WRONG_FILE_MS = 1_500;
/** How long an operator waits before a role without users is removed. */
const RETIRE_AFTER_MS = 1_000;
const WINDOW_AT_LEAST_MS = 1_000;
/** The minimum time between a delivery and the next rotation. */
const SETTLE_MS = 1_500;
/** Connections still open after this long count as having stayed. */
const GONE_BOUND_MS = 5_000;

/** Performs one rotation, then asks the database until the old connections are gone. */
export async function rotate(stage: Stage, way: Way): Promise<Rotation> {
  const { clock, database } = stage;
  const delivery = await deliveries[way](stage);
  const deliveredAt = delivery.events.at(-1)?.at ?? clock.now();
  const settled = sleep(SETTLE_MS);
  const { gone, peak } = await untilGone(database, delivery.old, delivery.formerRole, GONE_BOUND_MS);
  const goneAt = clock.now();
  await settled;
  const from = delivery.events[0]?.at ?? deliveredAt;
  return {
    way,
    events: delivery.events,
    window: { from, to: Math.max(goneAt, from + WINDOW_AT_LEAST_MS) },
    oldConnectionsGoneMs: gone ? goneAt - deliveredAt : undefined,
    peakConnections: peak,
  };
}

interface Delivery {
  readonly events: readonly RotationEvent[];
  /** The connections that were open just before the right credential was delivered. */
  readonly old: readonly Connection[];
  readonly formerRole?: Role;
}

const deliveries: Readonly<Record<Way, (stage: Stage) => Promise<Delivery>>> = {
  // The other role gets a new password, then both files change together: both credentials work throughout.
  async 'two-roles'(stage) {
    const formerRole = stage.role;
    stage.role = formerRole === 'app_blue' ? 'app_green' : 'app_blue';
    const password = await stage.database.changePassword(stage.role);
    const old = await stage.database.connections();
    const file = await deliver(stage, 'file', { 'db-user': stage.role, 'db-password': password });
    if (stage.database.retire !== undefined) {
      await sleep(RETIRE_AFTER_MS);
      await stage.database.retire(formerRole);
    }
    return { events: [file], old, formerRole };
  },

  // The database has the new password immediately, the mount only after the driver's next poll.
  async 'late-file'(stage) {
    const { password, event } = await changeInDatabase(stage);
    await sleep(FILE_LATE_MS);
    const old = await stage.database.connections();
    const file = await deliver(stage, 'file', { 'db-password': password });
    return { events: [event, file], old };
  },

  // An operator pastes a wrong value and corrects it later.
  async 'wrong-first'(stage) {
    const { password, event } = await changeInDatabase(stage);
    const wrong = await deliver(stage, 'wrong-file', { 'db-password': newPassword() });
    await sleep(WRONG_FILE_MS);
    const old = await stage.database.connections();
    const file = await deliver(stage, 'file', { 'db-password': password });
    return { events: [event, wrong, file], old };
  },
};

async function changeInDatabase(stage: Stage) {
  const event: RotationEvent = { at: stage.clock.now(), kind: 'database' };
  return { event, password: await stage.database.changePassword(stage.role) };
}

async function deliver(
  stage: Stage,
  kind: RotationEvent['kind'],
  values: Readonly<Record<string, string>>,
): Promise<RotationEvent> {
  return { at: stage.clock.at(await stage.mount.rotate(values)), kind };
}
