import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createTestMount, mountedFiles, SecretStore } from '../support/built';
import { definitionsOf, manySecrets } from '../support/content';
import { collect } from '../support/process-state';
import { atMost, type FigureOptions, type FigureResult } from '../support/result';
import { alternate, median, medianRatio, timed } from '../support/statistics';

const SECRETS = 1000;
const ROUNDS = { full: 41, short: 11 };
const WARM_UP_ROUNDS = 5;

/** Compares `open()` on 1,000 secrets with a plain loop that reads the same files. */
export async function open({ size, scratch }: FigureOptions): Promise<FigureResult> {
  const content = manySecrets(SECRETS);
  await using mount = await createTestMount(content, { path: join(scratch, 'open') });
  const paths = Object.keys(content).map((name) => join(mount.path, name));

  const sides = {
    async readFile() {
      for (const path of paths) await readFile(path, 'utf8');
    },
    readFileSync() {
      for (const path of paths) readFileSync(path, 'utf8');
    },
  };
  const measured = {
    readFile: () => timedClean(sides.readFile),
    readFileSync: () => timedClean(sides.readFileSync),
    everyFile: () => timedOpen(() => SecretStore.open({ sources: [mountedFiles(mount.path)] })),
    declared: () =>
      timedOpen(() =>
        SecretStore.open({ secrets: definitionsOf(content), sources: [mountedFiles(mount.path)] }),
      ),
  };
  await alternate(WARM_UP_ROUNDS, measured);
  const times = await alternate(ROUNDS[size], measured);

  return {
    checks: [
      atMost(
        3,
        'open() of every file, compared with a loop of await readFile',
        medianRatio(times.everyFile, times.readFile),
      ),
      atMost(
        3,
        'open() of declared secrets, compared with the same loop',
        medianRatio(times.declared, times.readFile),
      ),
    ],
    details: {
      'open() of every file ms': median(times.everyFile),
      'open() of declared secrets ms': median(times.declared),
      'await readFile loop ms': median(times.readFile),
      'readFileSync loop ms': median(times.readFileSync),
      'every file compared with readFileSync, ratio': medianRatio(times.everyFile, times.readFileSync),
      'declared compared with readFileSync, ratio': medianRatio(times.declared, times.readFileSync),
    },
  };
}

function timedClean(run: () => unknown): Promise<number> {
  collect();
  return timed(run);
}

async function timedOpen(
  open: () => Promise<{ names(): readonly string[]; close(): Promise<void> }>,
): Promise<number> {
  collect();
  const start = performance.now();
  const store = await open();
  const time = performance.now() - start;
  if (store.names().length !== SECRETS) throw new Error('open() did not find every secret.');
  await store.close();
  return time;
}
