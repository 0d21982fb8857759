import { setTimeout as sleep } from 'node:timers/promises';
import { startMountWriter } from '../../../test/support/mount-writer';
import type { RedisServer } from '../../../test/support/redis';
import { type Clock, startClock } from '../clock';
import type { Progress } from '../progress';
import { changePassword, rotate, type Stage, type Way, wayTitles } from './rotations';
import { openSecrets, type Service, type StartService } from './service';

/** The schedule of a run. It is the same for all variants. */
export interface Plan {
  readonly baselineMs: number;
  readonly rotations: readonly Way[];
  /** A command that has not settled this long after the load stopped counts as hung. */
  readonly hungAfterMs: number;
}

export const WORKERS = 20;
// A failed command takes as long as a few commands, or else workers that fail fast would send more than others.
const PAUSE_AFTER_FAILURE_MS = 20;
const PAUSE_MS = 2;

interface Command {
  readonly at: number;
  readonly way: Way | undefined;
  ms?: number;
  failed?: boolean;
}

/** Failed and hung commands, and the latency of those that succeeded. */
export interface Outcome {
  readonly commands: number;
  readonly failed: number;
  readonly hung: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** The figures of one variant: in total, and during each way of rotating. */
export interface Summary extends Outcome {
  readonly rotations: number;
  readonly ways: Readonly<Partial<Record<Way, Outcome>>>;
}

/** Puts one variant under load, rotates under it as planned, and measures it. */
export async function run(
  name: string,
  start: StartService,
  server: RedisServer,
  plan: Plan,
  progress: Progress,
): Promise<Summary> {
  const user = 'app-blue';
  const content = { 'redis-user': user, 'redis-password': await changePassword(server, user) };
  await using mount = await startMountWriter({ content });
  const secrets = await openSecrets(mount.path);
  secrets.on('error', () => {});
  const service = await start(secrets, server, (line) => progress.line(`  ${line}`));
  await service.increment();

  const load = startLoad(service, startClock());
  await sleep(plan.baselineMs);
  const stage: Stage = { server, mount, user };
  for (const [index, way] of plan.rotations.entries()) {
    progress.status(`${name}: rotation ${index + 1}/${plan.rotations.length}, ${wayTitles[way]}`);
    const before = load.commands.length;
    load.way = way;
    await rotate(stage, way);
    load.way = undefined;
    const during = load.commands.slice(before);
    const failed = during.filter((command) => command.failed).length;
    progress.line(
      `${name}: rotation ${index + 1}/${plan.rotations.length}, ${wayTitles[way]}: ${failed} of ${during.length} commands failed`,
    );
  }
  await load.stop(plan.hungAfterMs);
  await Promise.race([service.close().catch(() => {}), sleep(2_000, undefined, { ref: false })]);
  await secrets.close();
  const ways = [...new Set(plan.rotations)].map((way) => [
    way,
    outcome(load.commands.filter((command) => command.way === way)),
  ]);
  return {
    ...outcome(load.commands),
    rotations: plan.rotations.length,
    ways: Object.fromEntries(ways),
  };
}

function startLoad({ increment }: Service, clock: Clock) {
  const commands: Command[] = [];
  const pending = new Set<Promise<void>>();
  let running = true;
  const load = {
    commands: commands as readonly Command[],
    way: undefined as Way | undefined,
    async stop(boundMs: number) {
      running = false;
      await Promise.race([Promise.all(pending), sleep(boundMs, undefined, { ref: false })]);
    },
  };
  const send = async () => {
    const command: Command = { at: clock.now(), way: load.way };
    commands.push(command);
    try {
      await increment();
    } catch {
      command.failed = true;
    }
    command.ms = clock.now() - command.at;
    await sleep(command.failed ? PAUSE_AFTER_FAILURE_MS : PAUSE_MS);
  };
  for (let worker = 0; worker < WORKERS; worker += 1) {
    const work = (async () => {
      while (running) await send();
    })();
    pending.add(work);
  }
  return load;
}

function outcome(commands: readonly Command[]): Outcome {
  const served = commands.flatMap(({ ms, failed }) => (ms === undefined || failed ? [] : [ms]));
  served.sort((a, b) => a - b);
  const percentile = (share: number) => served[Math.max(0, Math.ceil(served.length * share) - 1)] ?? 0;
  return {
    commands: commands.length,
    failed: commands.filter(({ failed }) => failed).length,
    hung: commands.filter(({ ms }) => ms === undefined).length,
    p50Ms: Math.round(percentile(0.5) * 10) / 10,
    p99Ms: Math.round(percentile(0.99) * 10) / 10,
  };
}
