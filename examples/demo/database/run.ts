import { setTimeout as sleep } from 'node:timers/promises';
import { startMountWriter } from '../../../test/support/mount-writer';
import { startClock } from '../clock';
import type { Progress } from '../progress';
import type { Database } from './database';
import { type Load, startLoad } from './load';
import type { Recording } from './measure';
import { type Rotation, rotate, type Stage, type Way, wayTitles } from './rotations';
import type { Service, StartService } from './service';

/** The schedule of a run. It is the same for both variants. */
export interface Plan {
  readonly baselineMs: number;
  readonly rotations: readonly Way[];
  /** A request that has not settled this long after the load stopped counts as hung. */
  readonly hungAfterMs: number;
}

const CLOSE_TIMEOUT_MS = 5_000;
const WARM_UP_MS = 500;

/** Puts one variant under load, rotates under it as planned, and records everything. */
export async function run(
  name: string,
  start: StartService,
  database: Database,
  plan: Plan,
  progress: Progress,
): Promise<Recording> {
  const role = 'app_blue';
  const rejectedBefore = database.rejectedLogins();
  const content = { 'db-user': role, 'db-password': await database.changePassword(role) };
  await using mount = await startMountWriter({ content });
  const service = await start(mount.path, database.address, (line) => progress.line(`  ${line}`));
  await warmUp(service);

  const clock = startClock();
  const load = startLoad(service, clock);
  const rotations: Rotation[] = [];
  const status = setInterval(() => progress.status(statusOf(name, load, rotations.length, plan)), 250);
  await sleep(plan.baselineMs);
  const stage: Stage = { database, mount, clock, role };
  for (const way of plan.rotations) {
    const rotation = await rotate(stage, way);
    rotations.push(rotation);
    progress.line(
      `${name}: rotation ${rotations.length}/${plan.rotations.length}, ${wayTitles[way]}: ${outcome(load, rotation)}`,
    );
  }
  const durationMs = clock.now();
  clearInterval(status);
  progress.status(`${name}: waiting for unanswered queries`);
  await load.stop(plan.hungAfterMs);
  await Promise.race([service.close().catch(() => {}), sleep(CLOSE_TIMEOUT_MS, undefined, { ref: false })]);
  const rejectedLogins = database.rejectedLogins() - rejectedBefore;
  return { requests: load.requests, rotations, rejectedLogins, durationMs };
}

// Opening the first connections is not part of the measurement.
async function warmUp(service: Service): Promise<void> {
  const load = startLoad(service, startClock());
  await sleep(WARM_UP_MS);
  await load.stop(CLOSE_TIMEOUT_MS);
}

function outcome(load: Load, { window, oldConnectionsGoneMs }: Rotation): string {
  const during = load.requests.filter(({ at }) => at >= window.from && at <= window.to);
  const failed = during.filter((request) => request.failed).length;
  const gone =
    oldConnectionsGoneMs === undefined ? 'still open' : `gone after ${Math.round(oldConnectionsGoneMs)} ms`;
  return `${failed} of ${during.length} queries failed, old connections ${gone}`;
}

function statusOf(name: string, load: Load, done: number, plan: Plan): string {
  const failed = load.requests.filter((request) => request.failed).length;
  return `${name}: ${load.requests.length} queries, ${failed} failed, ${done}/${plan.rotations.length} rotations`;
}
