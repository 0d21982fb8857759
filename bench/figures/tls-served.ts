import { once } from 'node:events';
import { readFileSync, watch } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createAuthority } from '../../test/support/certificates';
import { attachSecureContext, mountedFiles, SecretStore, secret } from '../support/built';
import { startKnockingWriter } from '../support/knocking-writer';
import { filesOf, issuePairs, type Pair } from '../support/pairs';
import { pinApart } from '../support/pin';
import { processorMsSince } from '../support/processor-time';
import { atMost, type FigureOptions, type FigureResult } from '../support/result';
import { median, quantile } from '../support/statistics';

const SWAPS = { full: 200, short: 40 };
const SWAPS_PER_BLOCK = 20;
const WARM_UP_SWAPS = { full: 200, short: 60 };
const PAIRS = 8;
const MISSED_AFTER_MS = 2000;

/** Makes a server follow the mount until it is stopped. */
interface Follower {
  /** Called when the writer reports its rename. Followers that watch the mount leave it out. */
  atRename?(next: Pair): void;
  stop(): unknown;
}

type Follow = (server: Server, path: string) => Follower | Promise<Follower>;

/**
 * Measures the time from the rename of `..data` by another process to the first handshake with the new certificate. The
 * baseline is `setSecureContext` by hand: the writer sends a message right after the rename, and the server's process,
 * which already has the new pair in memory, sets it. It watches, reads and checks nothing. A bare `fs.watch` that reads
 * both files is measured as well.
 */
export async function tlsServed({ size, scratch }: FigureOptions): Promise<FigureResult> {
  const path = join(scratch, 'served');
  const authority = await createAuthority();
  const pairs = await issuePairs(PAIRS, authority);
  let current = pairs[0] as Pair;
  await using writer = await startKnockingWriter(path, filesOf(current), authority.cert);
  const pinned = pinApart(process.pid, writer.pid);
  const server = createServer({ cert: current.cert, key: current.key });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  const sides = { store: followStore, hand: byHand, reading: watchAndRead };
  const names = ['store', 'hand', 'reading'] as const;
  const recorded = { store: noTimes(), hand: noTimes(), reading: noTimes() };
  const setAt = noteLastSet(server);

  const block = async (side: (typeof names)[number], swaps: number, record: boolean) => {
    const follower = await sides[side](server, path);
    for (let swap = 0; swap < swaps; swap += 1) {
      const next = pairs[(pairs.indexOf(current) + 1) % pairs.length] as Pair;
      current = next;
      const { atRename } = follower;
      const before = process.cpuUsage();
      const served = await writer.swap(
        { content: filesOf(next), serial: next.serial, port, boundMs: MISSED_AFTER_MS },
        atRename === undefined ? undefined : () => atRename(next),
      );
      const processorMs = processorMsSince(before);
      const { ms, knocks, renamedAt } = served;
      if (!record || ms === undefined || knocks === undefined || renamedAt === undefined) continue;
      recorded[side].served.push(ms);
      recorded[side].knocks.push(knocks);
      recorded[side].processor.push(processorMs);
      recorded[side].set.push(Number(setAt() - renamedAt) / 1e6);
    }
    await follower.stop();
  };

  // Warms up: the figure is about a process that has run for a long time.
  for (const side of names) await block(side, WARM_UP_SWAPS[size], false);
  for (let round = 0; round < SWAPS[size] / SWAPS_PER_BLOCK; round += 1) {
    for (const side of round % 2 === 0 ? names : names.toReversed()) await block(side, SWAPS_PER_BLOCK, true);
  }
  server.close();

  const { store, hand, reading } = recorded;
  return {
    checks: [
      atMost(
        2.5,
        'processor time of the server up to the first handshake, against setSecureContext by hand, medians',
        median(store.processor) / median(hand.processor),
      ),
      atMost(0, `swaps of ${SWAPS[size]} that were not served`, SWAPS[size] - store.served.length),
    ],
    details: {
      ...detailsOf('attachSecureContext', store),
      ...detailsOf('by hand', hand),
      ...detailsOf('fs.watch, both files read', reading),
      'rename to first handshake, against setSecureContext by hand':
        median(store.served) / median(hand.served),
      'rename to first handshake, against fs.watch': median(store.served) / median(reading.served),
      'each process on a core of its own (1: yes)': Number(pinned),
    },
  };
}

interface Times {
  /** From the rename to the end of the first handshake with the new certificate. */
  readonly served: number[];
  /** From the rename to the return of `setSecureContext`. It excludes the handshake, which costs every side the same. */
  readonly set: number[];
  readonly knocks: number[];
  /** Processor time of the server's process, with its part of the handshake. */
  readonly processor: number[];
}

function noTimes(): Times {
  return { served: [], set: [], knocks: [], processor: [] };
}

function detailsOf(side: string, { served, set, knocks, processor }: Times): Record<string, number> {
  return {
    [`${side} ms`]: median(served),
    [`${side} p95 ms`]: quantile(served, 0.95),
    [`${side}, processor ms`]: median(processor),
    [`${side}, until setSecureContext has returned ms`]: median(set),
    [`${side}, most handshakes until it was shown`]: Math.max(...knocks),
  };
}

/** Records when the server last got a context. */
function noteLastSet(server: Server): () => bigint {
  let at = 0n;
  const { setSecureContext } = server;
  server.setSecureContext = (options) => {
    setSecureContext.call(server, options);
    at = process.hrtime.bigint();
  };
  return () => at;
}

const followStore: Follow = async (server, path) => {
  const secrets = await SecretStore.open({
    secrets: { web: secret.tls({ cert: 'tls.crt', key: 'tls.key' }) },
    sources: [mountedFiles(path)],
  });
  const rotation = attachSecureContext(server, secrets, (s) => s.reveal('web'));
  return {
    async stop() {
      await rotation.close();
      await secrets.close();
    },
  };
};

const byHand: Follow = (server) => ({
  atRename: ({ cert, key }) => server.setSecureContext({ cert, key }),
  stop() {},
});

/** What a service would write by hand, without checking that certificate and key match. */
const watchAndRead: Follow = (server, path) => {
  const watcher = watch(path, (_event, name) => {
    if (name !== '..data') return;
    const cert = readFileSync(join(path, 'tls.crt'));
    const key = readFileSync(join(path, 'tls.key'));
    server.setSecureContext({ cert, key });
  });
  return { stop: () => watcher.close() };
};
