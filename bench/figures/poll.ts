import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { Source } from '../../src/index';
import { manySecrets } from '../support/content';
import { atMost, type FigureOptions, type FigureResult } from '../support/result';
import { median } from '../support/statistics';

const SECRETS = 1000;
const POLLS = { full: 100, short: 20 };

const CALLS = [
  'openSync',
  'readSync',
  'readFileSync',
  'open',
  'read',
  'readFile',
  'createReadStream',
] as const;
const PROMISE_CALLS = ['open', 'readFile'] as const;

/** Counts the file reads of a poll of an unchanged mount with 1,000 secrets. */
export async function poll({ size, scratch }: FigureOptions): Promise<FigureResult> {
  const reads = countReads();
  // Loaded now, because the package holds on to the functions that it finds.
  const { createTestMount, mountedFiles, SecretStore } = await import('../support/built');
  await using mount = await createTestMount(manySecrets(SECRETS), { path: join(scratch, 'poll') });
  const { source, reads: refreshes } = observed(mountedFiles(mount.path, { pollIntervalMs: 10 }));
  await using store = await SecretStore.open({ sources: [source] });

  const beforeRefresh = reads();
  await store.refresh();
  const control = reads() - beforeRefresh;
  if (control < SECRETS) throw new Error('The counter of file reads missed a refresh.');

  const first = refreshes.length;
  const beforePolls = reads();
  while (refreshes.length - first < POLLS[size]) await setTimeout(20);
  const count = reads() - beforePolls;
  const polls = refreshes.slice(first);
  if (polls.some(({ unchanged }) => !unchanged))
    throw new Error('A poll reported a change of the unchanged mount.');

  return {
    checks: [atMost(0, `file opens and reads in ${polls.length} polls of an unchanged mount`, count)],
    details: {
      'opens and reads of one forced refresh': control,
      'time of one poll ms': median(polls.map(({ ms }) => ms)),
    },
  };
}

/** Replaces functions of `node:fs`, for what is loaded from now on. */
function countReads(): () => number {
  let count = 0;
  const counted = <T extends object, K extends keyof T>(owner: T, name: K) => {
    const original = owner[name] as (...args: unknown[]) => unknown;
    owner[name] = ((...args: unknown[]) => {
      count += 1;
      return original.apply(owner, args);
    }) as T[K];
  };
  for (const name of CALLS) counted(fs, name);
  for (const name of PROMISE_CALLS) counted(fs.promises, name);
  syncBuiltinESMExports();
  return () => count;
}

function observed(source: Source) {
  const reads: { unchanged: boolean; ms: number }[] = [];
  const read: Source['read'] = async (request) => {
    const start = performance.now();
    const result = await source.read(request);
    reads.push({ unchanged: result.unchanged, ms: performance.now() - start });
    return result;
  };
  return { source: { ...source, read }, reads };
}
