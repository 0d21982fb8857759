import { EventQueue } from './event-queue';
import { type Periods, Replica, type Tokens, type Versions, WAYS, type Way } from './key-replica';

export interface FleetSettings extends Periods {
  readonly replicas: number;
  readonly tokens: number;
  /** Simulated time for all tokens. */
  readonly spanMs: number;
  readonly rotateEveryMs: number;
  /** The longest time until a replica has a new key. */
  readonly skewMs: number;
  /** Mean time between two restarts of a replica. */
  readonly restartEveryMs: number;
  /** True if replicas read a vault, false if they read the files of a mount. */
  readonly isVault: boolean;
}

export interface FleetOutcome {
  readonly verified: number;
  readonly refused: Readonly<Record<Way, number>>;
  readonly rotations: number;
  readonly restarts: number;
  readonly keysUsed: number;
}

/**
 * Simulates a fleet that rotates its key: real stores and real signatures, in simulated time. Each token is verified by a random
 * replica, at a random time of its life. A third of the restarts falls into the time after a rotation.
 */
export async function runFleet(settings: FleetSettings, random: () => number): Promise<FleetOutcome> {
  const { replicas: size, tokens, spanMs, skewMs, rotateEveryMs, restartEveryMs, isVault } = settings;
  const clock = replaceClock();
  const events = new EventQueue<() => Promise<void>>();
  const history: { readonly atMs: number; readonly versions: Versions }[] = [];
  const refused = Object.fromEntries(WAYS.map((way) => [way, 0])) as Record<Way, number>;
  let restarts = 0;

  function publish(atMs: number): void {
    const before = history.at(-1)?.versions ?? [];
    const value = `key ${history.length} ${random().toString(36).slice(2)} of the simulated fleet`;
    history.push({ atMs, versions: [{ value, createdAtMs: clock.dateOf(atMs) }, ...before].slice(0, 3) });
  }

  const writtenAt = (atMs: number, versions: Versions) => ({ versions, atMs: clock.dateOf(atMs) });
  publish(-rotateEveryMs);
  const first = history.at(-1) as (typeof history)[number];
  const fleet = Array.from(
    { length: size },
    () => new Replica(writtenAt(-skewMs, first.versions), settings, isVault, random),
  );
  for (const replica of fleet) await replica.start();

  const anyReplica = () => fleet[Math.floor(random() * size)] as Replica;

  async function rotate(atMs: number): Promise<void> {
    publish(atMs);
    const { versions } = history.at(-1) as (typeof history)[number];
    for (const [index, replica] of fleet.entries()) {
      // The first has it at once, the last at the very end.
      const share = index === 0 ? 0 : index === size - 1 ? 1 : random();
      const readAt = atMs + share * skewMs;
      events.add(readAt, () => replica.write(writtenAt(readAt, versions)));
    }
    for (let restart = 0; restart < size / 3; restart += 1) {
      const at = atMs + random() * 2 * skewMs;
      events.add(at, () => restartOne(anyReplica(), at));
    }
    events.add(atMs + rotateEveryMs, () => rotate(atMs + rotateEveryMs));
  }

  async function restartOne(replica: Replica, atMs: number): Promise<void> {
    restarts += 1;
    await replica.stop();
    // A new pod gets new files, which the node may take from a cache that is as old as the skew. A new container keeps them.
    if (random() < 0.5) {
      const newest = history.at(-1) as (typeof history)[number];
      const seen = history.findLast((one) => one.atMs <= atMs - random() * skewMs) ?? newest;
      replica.written = writtenAt(atMs, seen.versions);
      if (seen !== newest) {
        const readAt = atMs + random() * (newest.atMs + skewMs - atMs);
        events.add(readAt, () => replica.write(writtenAt(readAt, newest.versions)));
      }
    }
    await replica.start();
  }

  async function restartLater(replica: Replica, atMs: number): Promise<void> {
    await restartOne(replica, atMs);
    const next = atMs - Math.log(1 - random()) * restartEveryMs;
    events.add(next, () => restartLater(replica, next));
  }

  events.add(rotateEveryMs / 2, () => rotate(rotateEveryMs / 2));
  for (const replica of fleet) {
    const at = random() * restartEveryMs;
    events.add(at, () => restartLater(replica, at));
  }

  const stepMs = spanMs / tokens;
  const lifeSteps = Math.floor(settings.verifyForMs / stepMs);
  const pending: Tokens[][] = Array.from({ length: lifeSteps + 1 }, () => []);
  let due = events.take();
  let verified = 0;
  for (let step = 0; step <= tokens + lifeSteps; step += 1) {
    const now = step * stepMs;
    for (; due !== undefined && due.at <= now; due = events.take()) {
      clock.set(due.at);
      await due.event();
    }
    clock.set(now);
    const slot = step % pending.length;
    for (const token of pending[slot] as Tokens[]) {
      const verifier = anyReplica();
      verified += 1;
      for (const way of WAYS) if (!verifier.accepts(way, token[way])) refused[way] += 1;
    }
    pending[slot] = [];
    if (step >= tokens) continue;
    const at = (step + 1 + Math.floor(random() * lifeSteps)) % pending.length;
    pending[at]?.push(anyReplica().sign(String(step)));
  }
  for (const replica of fleet) await replica.stop();
  clock.restore();
  return { verified, refused, rotations: history.length - 1, restarts, keysUsed: history.length };
}

/** Replaces the clocks of this process. Timers stay real: the keyring does not depend on them. */
function replaceClock() {
  const [date, now] = [Date.now, performance.now];
  const start = date();
  let passed = 0;
  Date.now = () => start + passed;
  performance.now = () => 1_000_000 + passed;
  return {
    set(ms: number) {
      passed = ms;
    },
    dateOf: (ms: number) => start + ms,
    restore() {
      Date.now = date;
      performance.now = now;
    },
  };
}
