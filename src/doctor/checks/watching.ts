import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { SecretsError } from '../../errors';
import { errorCode } from '../../internal/describe-error';
import { realDelay } from '../../internal/real-time';
import { type Watcher, watchDataLink } from '../../sources/mounted-files/watchers';
import { createTestMount } from '../../testing/test-mount';
import { type Finding, finding, findingOf } from '../findings';
import type { System } from '../system';

const INOTIFY = '/proc/sys/fs/inotify';
/** A store needs one instance per mount, and one watch in a Kubernetes mount. */
const SPARE = { max_user_instances: 4, max_user_watches: 64 } as const;

/** Compares the inotify limits with what is in use. Processes of other containers are not seen, so the true use is higher. */
export function checkWatchLimits({ readText, inotify }: System): Finding[] {
  const limits = {
    max_user_instances: Number(readText(`${INOTIFY}/max_user_instances`) ?? Number.NaN),
    max_user_watches: Number(readText(`${INOTIFY}/max_user_watches`) ?? Number.NaN),
  };
  if (Number.isNaN(limits.max_user_instances)) return [];
  const { instances, watches } = inotify();
  const used = { max_user_instances: instances, max_user_watches: watches };
  return (['max_user_instances', 'max_user_watches'] as const).flatMap((name) =>
    limits[name] - used[name] >= SPARE[name]
      ? []
      : [
          finding(
            'WATCH_LIMIT',
            { limit: `fs.inotify.${name}`, value: limits[name], used: used[name] },
            { place: `${INOTIFY}/${name}` },
          ),
        ],
  );
}

const SWAPS = 3;
/** An event takes about a millisecond; a busy machine may need longer. */
const EVENT_MS = 2_000;
const NAME = 'doctor';

/** Swaps a mount of its own several times, as the driver does, and counts the swaps that a watch reports. */
export async function checkSwaps(
  { temporaryDirectory }: System,
  signal: AbortSignal,
  watch: Watcher = watchDataLink,
  eventMs = EVENT_MS,
): Promise<Finding[]> {
  let directory: string;
  try {
    directory = mkdtempSync(join(temporaryDirectory, 'hot-secrets-doctor-'));
  } catch (error) {
    const reason = `cannot be written to (${errorCode(error) ?? 'unknown error'})`;
    return [
      finding('WATCH_UNTESTED', { directory: temporaryDirectory, reason }, { place: temporaryDirectory }),
    ];
  }
  try {
    const mount = await createTestMount({ [NAME]: '0' }, { path: join(directory, 'mount') });
    let hints = 0;
    let problem: SecretsError | undefined;
    const watcher = watch(mount.path, mount.path, {
      hint: () => {
        hints += 1;
      },
      ready: () => {},
      limited: (error) => {
        problem = error;
      },
      unavailable: (error) => {
        problem = error;
      },
    });
    let seen = 0;
    for (let swap = 1; swap <= SWAPS && problem === undefined && !signal.aborted; swap += 1) {
      // Events of one swap may come in several turns.
      await realDelay(20, signal);
      const before = hints;
      await mount.rotate({ [NAME]: String(swap) });
      for (let waited = 0; hints === before && waited < eventMs; waited += 10) await realDelay(10, signal);
      if (hints > before) seen += 1;
    }
    watcher.stop();
    if (problem !== undefined) return [findingOf(problem, { place: temporaryDirectory })];
    return seen === SWAPS
      ? []
      : [
          finding(
            'WATCH_SILENT',
            { seen, swaps: SWAPS, directory: temporaryDirectory },
            { place: temporaryDirectory },
          ),
        ];
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
