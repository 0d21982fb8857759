import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** What a process holds: descriptors and watches by kind, and what keeps its event loop alive. */
export function held(): string[] {
  // A pipe is the channel to the process that started this one.
  const types = process.getActiveResourcesInfo().filter((type) => type !== 'PipeWrap');
  const resources = types.map((type) => `resource ${type}`);
  return [...resources, ...descriptors(), ...Array<string>(inotifyWatches()).fill('inotify watch')].sort();
}

/** The number of watches of this process in the kernel. */
export function inotifyWatches(): number {
  return entriesOf('/proc/self/fdinfo').reduce((sum, path) => {
    return sum + (read(() => readFileSync(path, 'utf8')).match(/^inotify wd/gm)?.length ?? 0);
  }, 0);
}

function descriptors(): string[] {
  const targets = entriesOf('/proc/self/fd').map((path) => read(() => readlinkSync(path)));
  // That of the directory which was just listed has no target anymore.
  return targets.filter((target) => target !== '').map((target) => `descriptor of ${kindOf(target)}`);
}

/** Sockets and pipes have numbers of their own. */
const kindOf = (target: string) => target.replace(/:\[\d+\]$/, '');

function entriesOf(directory: string): string[] {
  try {
    return readdirSync(directory).map((name) => `${directory}/${name}`);
  } catch {
    // Not Linux.
    return [];
  }
}

function read(get: () => string): string {
  try {
    return get();
  } catch {
    return '';
  }
}

/** Returns what `now` has and `before` has not. */
export function surplus(now: readonly string[], before: readonly string[]): string[] {
  const left = [...before];
  return now.filter((one) => {
    const index = left.indexOf(one);
    if (index >= 0) left.splice(index, 1);
    return index < 0;
  });
}
