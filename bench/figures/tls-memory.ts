import { once } from 'node:events';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createSecureContext } from 'node:tls';
import { createAuthority } from '../../test/support/certificates';
import {
  attachSecureContext,
  createServerNames,
  createTestMount,
  mountedFiles,
  SecretStore,
  secret,
} from '../support/built';
import { handshake } from '../support/handshake';
import { filesOf, issuePairs, type Pair } from '../support/pairs';
import { heapAfterGc } from '../support/process-state';
import { atMost, type FigureOptions, type FigureResult } from '../support/result';
import { within } from '../support/within';

const ROTATIONS = { full: 3000, short: 300 };
const NAMES = 10;
const PAIRS_PER_NAME = 3;
// The allocator keeps memory that it once obtained, so growth during the first part is not a leak.
const WARM_UP_SHARE = 0.2;
// Resident memory also varies by some megabytes between readings. One leaked context per rotation would add 28 (full).
const RSS_GROWTH_MB = 10;
const MISSED_AFTER_MS = 5000;
const MEGABYTE = 1024 * 1024;

const names = Array.from({ length: NAMES }, (_, index) => `host-${index}.example.com`);
const EXTRA = 'extra.example.com';

/** Measures memory after many rotations of ten names with a pair each, and of a name that is added and removed. */
export async function tlsMemory({ size, scratch }: FigureOptions): Promise<FigureResult> {
  const authority = await createAuthority();
  const pairs = await Promise.all(
    names.map((name) => issuePairs(PAIRS_PER_NAME, authority, { hosts: [name, EXTRA] })),
  );
  const pairOf = (index: number, rotation: number) => pairs[index]?.[rotation % PAIRS_PER_NAME] as Pair;
  const content = (rotation: number) =>
    Object.assign({}, ...names.map((name, index) => filesOf(pairOf(index, rotation), name)));
  const secureContext = createSecureContext({ ca: authority.cert });

  await using mount = await createTestMount(content(0), { path: join(scratch, 'memory') });
  await using secrets = await SecretStore.open({
    secrets: Object.fromEntries(
      names.map((name) => [name, secret.tls({ cert: `${name}.crt`, key: `${name}.key` })]),
    ),
    sources: [mountedFiles(mount.path)],
  });
  const serverNames = createServerNames(
    secrets,
    Object.fromEntries(
      names.map((name) => [name, (s: ReturnType<typeof secrets.snapshot>) => s.reveal(name)]),
    ),
  );
  let rotated = 0;
  let seen = () => {};
  serverNames.on('swapped', () => {
    rotated += 1;
    seen();
  });
  const server = createServer({ SNICallback: serverNames.SNICallback });
  const first = names[0] as string;
  await using _rotation = attachSecureContext(server, secrets, (s) => s.reveal(first), {
    names: serverNames,
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;

  let wrong = 0;
  const rotateOnce = async (rotation: number) => {
    rotated = 0;
    const all = new Promise<true>((resolve) => {
      seen = () => rotated === NAMES && resolve(true);
    });
    await mount.rotate(content(rotation));
    if ((await within(all, MISSED_AFTER_MS)) === undefined)
      throw new Error(`Rotation ${rotation} was missed.`);
    const index = rotation % NAMES;
    const servername = names[index] as string;
    if ((await handshake({ port, secureContext, servername })) !== pairOf(index, rotation).serial) wrong += 1;
    serverNames.set(EXTRA, (s) => s.reveal(servername));
    if (rotation % NAMES === 0) {
      const shown = await handshake({ port, secureContext, servername: EXTRA });
      if (shown !== pairOf(index, rotation).serial) wrong += 1;
    }
    serverNames.delete(EXTRA);
  };

  const total = ROTATIONS[size];
  const warmUp = Math.round(total * WARM_UP_SHARE);
  const half = Math.round((total + warmUp) / 2);
  const at: Record<number, Memory> = {};
  const start = performance.now();
  for (let rotation = 1; rotation <= total; rotation += 1) {
    await rotateOnce(rotation);
    if ([warmUp, half, total].includes(rotation)) at[rotation] = await memory();
  }
  const elapsed = performance.now() - start;
  server.close();
  const [early, middle, end] = [at[warmUp], at[half], at[total]] as [Memory, Memory, Memory];

  return {
    checks: [
      atMost(2, `heap growth, rotation ${warmUp} to ${total}`, (end.heap - early.heap) / MEGABYTE, 'MB'),
      atMost(
        RSS_GROWTH_MB,
        `resident memory growth, rotation ${half} to ${total}`,
        (end.rss - middle.rss) / MEGABYTE,
        'MB',
      ),
      atMost(0, 'handshakes that did not get the newest certificate', wrong),
    ],
    details: {
      [`heap after ${warmUp} MB`]: early.heap / MEGABYTE,
      [`heap after ${half} MB`]: middle.heap / MEGABYTE,
      [`heap after ${total} MB`]: end.heap / MEGABYTE,
      [`resident after ${warmUp} MB`]: early.rss / MEGABYTE,
      [`resident after ${half} MB`]: middle.rss / MEGABYTE,
      [`resident after ${total} MB`]: end.rss / MEGABYTE,
      'time to rotate all names, ms': elapsed / total,
    },
  };
}

interface Memory {
  readonly heap: number;
  readonly rss: number;
}

async function memory(): Promise<Memory> {
  const heap = await heapAfterGc();
  return { heap, rss: process.memoryUsage.rss() };
}
