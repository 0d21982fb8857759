import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';

/** What the doctor knows of the process and its machine. Tests pass their own for states that they cannot produce. */
export interface System {
  readonly environment: Readonly<NodeJS.ProcessEnv>;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Without the `v`. */
  readonly nodeVersion: string;
  /** The effective user; `undefined` on Windows. */
  readonly user:
    | { readonly uid: number; readonly gid: number; readonly groups: readonly number[] }
    | undefined;
  readonly temporaryDirectory: string;
  readonly workingDirectory: string;
  /** The text of a file of the system (`/proc/…`); `undefined` if it cannot be read. */
  readText(path: string): string | undefined;
  /** The inotify instances and watches of the processes that this one sees. */
  inotify(): { readonly instances: number; readonly watches: number };
}

export function realSystem(environment: Readonly<NodeJS.ProcessEnv> = process.env): System {
  const uid = process.geteuid?.();
  return {
    environment,
    now: Date.now(),
    nodeVersion: process.versions.node,
    user:
      uid === undefined
        ? undefined
        : { uid, gid: process.getegid?.() ?? 0, groups: process.getgroups?.() ?? [] },
    temporaryDirectory: tmpdir(),
    workingDirectory: process.cwd(),
    readText,
    inotify: usedInotify,
  };
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

function usedInotify(): { instances: number; watches: number } {
  let instances = 0;
  let watches = 0;
  for (const pid of namesIn('/proc').filter((name) => /^\d+$/.test(name))) {
    for (const descriptor of namesIn(`/proc/${pid}/fd`)) {
      if (!isInotify(`/proc/${pid}/fd/${descriptor}`)) continue;
      instances += 1;
      watches += (readText(`/proc/${pid}/fdinfo/${descriptor}`)?.match(/^inotify /gm) ?? []).length;
    }
  }
  return { instances, watches };
}

function isInotify(path: string): boolean {
  try {
    return readlinkSync(path) === 'anon_inode:inotify';
  } catch {
    return false;
  }
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

/** Tells whether the process runs in a pod: every container of one has the service links of the API server. */
export function isInPod({ environment }: System): boolean {
  return Boolean(environment.KUBERNETES_SERVICE_HOST);
}
