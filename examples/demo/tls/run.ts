import { once } from 'node:events';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Authority } from '../../../test/support/certificates';
import { startMountWriter } from '../../../test/support/mount-writer';
import type { Progress } from '../progress';
import { type Client, startClient } from './client';
import { issueMismatch, issuePair } from './pairs';
import type { ServeCertificate } from './service';

/** The schedule of a run. It is the same for all variants. */
export interface Plan {
  readonly rotations: number;
  /** Mounts a mismatched pair before every nth rotation. */
  readonly badPairEvery: number;
}

/** The record of one variant under load. Times are in milliseconds. */
export interface Recording {
  readonly handshakes: number;
  readonly failures: Readonly<Record<string, number>>;
  /** Per rotation, from the rename of `..data` to the first handshake with the new certificate. Undefined: never. */
  readonly servedMs: readonly (number | undefined)[];
  readonly badPairs: number;
  /** Bad pairs that the service reported while no handshake failed. */
  readonly badPairsRefused: number;
  /** Uncaught errors in callbacks. Each would end a real process. */
  readonly uncaught: number;
}

/** The minimum time between two rotations. */
const SETTLE_MS = 400;
/** How long to wait until a new certificate is served. */
const SERVED_BOUND_MS = 1_500;
const BAD_PAIR_MS = 600;
const WARM_UP_BOUND_MS = 10_000;

/** Puts one variant under load, rotates its certificate as planned, and records what clients see. */
export async function run(
  name: string,
  serve: ServeCertificate,
  authority: Authority,
  plan: Plan,
  progress: Progress,
): Promise<Recording> {
  const first = await issuePair(authority);
  await using mount = await startMountWriter({ content: first.files });
  let refusals = 0;
  let uncaught = 0;
  const log = {
    refused(code: string) {
      refusals += 1;
      progress.line(`${name}: ${code}, the new pair is not used`);
    },
    uncaught(error: unknown) {
      uncaught += 1;
      if (uncaught === 1) progress.line(`${name}: uncaught ${codeOf(error)}; a real process would end here`);
    },
  };
  const server = createServer({}, (_request, response) => response.end('ok'));
  const serving = await serve(server, mount.path, log);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  await using client = await startClient({
    port: (server.address() as AddressInfo).port,
    ca: authority.cert,
  });
  await client.sees(first.serial, WARM_UP_BOUND_MS);

  let rotated = 0;
  let badPairs = 0;
  let badPairsRefused = 0;
  const status = setInterval(() => progress.status(statusOf(name, client, rotated, plan)), 250);
  const swaps: { readonly serial: string; readonly at: bigint }[] = [];
  while (rotated < plan.rotations) {
    rotated += 1;
    if (rotated % plan.badPairEvery === 0) {
      const before = { refusals, failed: failed(client) };
      const bad = await issueMismatch(authority);
      await mount.rotate(bad.files);
      await sleep(BAD_PAIR_MS);
      badPairs += 1;
      if (refusals > before.refusals && failed(client) === before.failed) badPairsRefused += 1;
    }
    const pair = await issuePair(authority);
    const settled = sleep(SETTLE_MS);
    swaps.push({ serial: pair.serial, at: await mount.rotate(pair.files) });
    await client.sees(pair.serial, SERVED_BOUND_MS);
    await settled;
  }
  clearInterval(status);
  await client.stop();
  await serving.close();
  server.closeAllConnections();
  server.close();
  progress.line(statusOf(name, client, rotated, plan));
  return {
    ...client.totals,
    servedMs: swaps.map(({ serial, at }) => {
      const seenAt = client.seen.get(serial);
      return seenAt === undefined ? undefined : Number(seenAt - at) / 1e6;
    }),
    badPairs,
    badPairsRefused,
    uncaught,
  };
}

function failed({ totals }: Client): number {
  return Object.values(totals.failures).reduce((sum, count) => sum + count, 0);
}

function statusOf(name: string, client: Client, rotated: number, { rotations }: Plan): string {
  return `${name}: ${client.totals.handshakes} handshakes, ${failed(client)} failed, ${rotated}/${rotations} rotations`;
}

function codeOf(error: unknown): string {
  const { code, name } = error as NodeJS.ErrnoException;
  return code ?? name;
}
