import { join } from 'node:path';
import { createTestMount, mountedFiles, SecretStore } from '../support/built';
import { manySecrets } from '../support/content';
import { inotifyWatches } from '../support/process-state';
import { atMost, type FigureOptions, type FigureResult } from '../support/result';

const MANY = 1000;

/** Counts the inotify watches of an open store. A node has a limited number of them for all its pods. */
export async function watches({ scratch }: FigureOptions): Promise<FigureResult> {
  const one = await held(1, 'kubernetes', join(scratch, 'one'));
  const many = await held(MANY, 'kubernetes', join(scratch, 'many'));
  return {
    checks: [
      atMost(4, 'inotify watches for 1,000 secrets', many),
      atMost(0, 'additional watches compared with 1 secret', many - one),
    ],
    details: {
      'for 1 secret': one,
      'plain directory, 1 secret': await held(1, 'plain', join(scratch, 'plain-one')),
      'plain directory, 1,000 secrets': await held(MANY, 'plain', join(scratch, 'plain-many')),
    },
  };
}

async function held(count: number, layout: 'kubernetes' | 'plain', path: string): Promise<number> {
  await using mount = await createTestMount(manySecrets(count), { layout, path });
  const before = inotifyWatches();
  await using store = await SecretStore.open({ sources: [mountedFiles(mount.path)] });
  if (store.names().length !== count)
    throw new Error(`${store.names().length} of ${count} secrets were found.`);
  return inotifyWatches() - before;
}
