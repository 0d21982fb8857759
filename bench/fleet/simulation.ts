import { PACE_DEFAULTS, Pace } from '../../src/sources/key-vault/pace';
import { seededRandom } from '../../test/support/seeded-random';
import { EventQueue } from './event-queue';

/** A fleet and what happens to it. Times are in milliseconds on a simulated clock. */
export interface Scenario {
  readonly pods: number;
  readonly secrets: number;
  readonly durationMs: number;
  /** Default: the interval of the source. */
  readonly refreshIntervalMs?: number;
  /** The processes start at random times within this period. */
  readonly startWithinMs: number;
  /** The vault answers every request with 429 during this period. */
  readonly storm?: { readonly from: number; readonly to: number };
  /** A push reaches every process at this time; each refreshes within `spreadMs` of it. */
  readonly push?: { readonly at: number; readonly spreadMs: number };
}

export interface Outcome {
  /** Requests in each window of ten seconds, including refused requests. */
  readonly perWindow: readonly number[];
  readonly refused: number;
  /** When the last process had its secrets. */
  readonly allStartedAt: number;
  /** The longest time between two successful refreshes of one process. */
  readonly longestGapMs: number;
}

export const WINDOW_MS = 10_000;
/** Secret transactions per vault and region in ten seconds, according to Microsoft's documentation of service limits. */
export const LIMIT = 4_000;
/** The requests of one process that are in flight before its first refusal arrives. */
const IN_FLIGHT = 8;

interface Pod {
  readonly pace: Pace;
  /** Incremented by each schedule, which invalidates the previous schedule. */
  turn: number;
  lastGoodAt: number | undefined;
}

/** Runs the scheduling code of the Key Vault source for every process, against a vault that refuses above its limit. */
export function simulate(scenario: Scenario): Outcome {
  const { pods, secrets, durationMs, startWithinMs, storm, push } = scenario;
  const { refreshIntervalMs = PACE_DEFAULTS.refreshIntervalMs } = scenario;
  const random = seededRandom(1);
  const perWindow = new Array<number>(Math.ceil(durationMs / WINDOW_MS)).fill(0);
  const queue = new EventQueue<{ readonly pod: Pod; readonly turn: number }>();
  let refused = 0;
  let allStartedAt = 0;
  let longestGapMs = 0;

  const fleet = Array.from({ length: pods }, (): Pod => {
    return {
      pace: new Pace({ ...PACE_DEFAULTS, refreshIntervalMs, random }),
      turn: 0,
      lastGoodAt: undefined,
    };
  });
  const schedule = (pod: Pod, at: number) => {
    pod.turn += 1;
    if (at < durationMs) queue.add(at, { pod, turn: pod.turn });
  };
  for (const pod of fleet) {
    schedule(pod, random() * startWithinMs);
    // A push comes in addition to the scheduled refresh, as an external hint does.
    if (push !== undefined) queue.add(push.at + random() * push.spreadMs, { pod, turn: -1 });
  }

  for (let next = queue.take(); next !== undefined; next = queue.take()) {
    const { at: now, event } = next;
    const { pod, turn } = event;
    if (turn !== -1 && turn !== pod.turn) continue;
    if (now < pod.pace.pausedUntil) {
      schedule(pod, pod.pace.pausedUntil);
      continue;
    }
    const window = Math.floor(now / WINDOW_MS);
    const before = perWindow[window] ?? 0;
    const storming = storm !== undefined && now >= storm.from && now < storm.to;
    const room = storming ? 0 : Math.max(0, LIMIT - before);
    // The first request of a refresh goes alone: if the vault refuses it, no other follows.
    const sent = room === 0 ? 1 : Math.min(secrets, room >= secrets ? secrets : room + IN_FLIGHT);
    perWindow[window] = before + sent;
    if (room < secrets) {
      refused += sent - room;
      pod.pace.throttled(now);
      schedule(pod, now + pod.pace.afterFailure(now));
      continue;
    }
    const first = pod.lastGoodAt === undefined;
    if (first) allStartedAt = now;
    else longestGapMs = Math.max(longestGapMs, now - (pod.lastGoodAt ?? now));
    pod.lastGoodAt = now;
    schedule(pod, now + (first ? pod.pace.afterStart() : pod.pace.afterSuccess()));
  }
  const started = fleet.every(({ lastGoodAt }) => lastGoodAt !== undefined);
  return {
    perWindow,
    refused,
    allStartedAt: started ? allStartedAt : Number.POSITIVE_INFINITY,
    longestGapMs,
  };
}
