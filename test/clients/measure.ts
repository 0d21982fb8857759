import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { mountedFiles, SecretStore } from 'hot-secrets';
import { createTestMount } from 'hot-secrets/testing';

/** How a rotation reaches the service. */
export type Way = 'two users' | 'file 2 s late' | 'wrong first';

/** The secrets of every row: the user and its password rotate together. */
export type Secrets = SecretStore<{ readonly user: string; readonly password: string }>;

/** A server with two users, as its operator and its log see it. It ends with the process. */
export interface Server extends AsyncDisposable {
  /** Gives a user this password. */
  changePassword(user: string, password: string): Promise<void>;
  /** A key for each session of the two users that is open now. */
  sessions(): Promise<readonly string[]>;
  /** The logins that the server has refused so far. */
  refused(): number;
  /** Ends the sessions of a user that is no longer used, for a server that lets its sessions live on otherwise. */
  retire?(user: string): Promise<void>;
}

/** A client under load. */
export interface Client {
  /** One piece of work. `turn` counts them; it rejects if the work failed. */
  work(turn: number): Promise<unknown>;
  /** What is wrong with the work as a whole, such as a rollback that was committed. Called after the load. */
  check?(): Promise<readonly string[]>;
  close(): Promise<unknown>;
}

/** One row of the table: a client, and the server that it is measured with. */
export interface Row<S extends Server = Server> {
  /** A server that may be missing on this machine: its Debian package, and its program. */
  readonly needs?: readonly [debianPackage: string, program: string];
  readonly server: () => Promise<S>;
  readonly start: (secrets: Secrets, server: S) => Promise<Client>;
  /** A session of this client keeps working and stays open after a rotation, on purpose. */
  readonly keepsSessions?: boolean;
}

/** What was measured in one way of rotating. Latencies are in milliseconds. */
export interface WayFigures {
  readonly done: number;
  readonly failed: number;
  readonly hung: number;
  /** Sessions from before the rotation that were still open 40 s after the right credential arrived. */
  readonly oldSessions: number;
  readonly refusedLogins: number;
  readonly p99Ms: number;
}

export interface RowFigures {
  readonly steadyP99Ms: number;
  readonly ways: Readonly<Record<Way, WayFigures>>;
  /** What `check` found, and the first error of each kind. */
  readonly problems: readonly string[];
}

const WORKERS = 20;
const PAUSE_MS = 10;
const STEADY_MS = 1_500;
/** After a break, the load runs this long before a rotation. */
const LOAD_MS = 200;
const SETTLE_MS = 1_500;
/** A pool replaces its connections over twenty seconds. */
const GONE_WITHIN_MS = 40_000;
const HUNG_AFTER_MS = 5_000;
const USERS = ['app_blue', 'app_green'] as const;

interface Sample {
  readonly phase: Way | 'steady';
  ms?: number;
  error?: unknown;
}

/** Puts a client under load and rotates its credential in three ways. */
export async function measure<S extends Server>(row: Row<S>): Promise<RowFigures> {
  await using server = await row.server();
  let user: string = USERS[0];
  let password = newPassword();
  for (const name of USERS) await server.changePassword(name, name === user ? password : newPassword());
  await using mount = await createTestMount({ user, password });
  const secrets: Secrets = await SecretStore.open({
    secrets: { user: 'user', password: 'password' },
    sources: [mountedFiles(mount.path)],
  });
  secrets.on('error', () => {});
  const client = await row.start(secrets, server);

  const samples: Sample[] = [];
  let phase: Sample['phase'] = 'steady';
  let running = true;
  let held = false;
  let turns = 0;
  const pending = new Set<Promise<void>>();
  const work = async (): Promise<void> => {
    const sample: Sample = { phase };
    samples.push(sample);
    const started = performance.now();
    turns += 1;
    try {
      await client.work(turns);
    } catch (error) {
      sample.error = error ?? new Error('rejected with nothing');
    }
    sample.ms = performance.now() - started;
  };
  // The first connections are not part of the measurement.
  await client.work(0);
  const loops = Array.from({ length: WORKERS }, async () => {
    while (running) {
      if (held) {
        await sleep(PAUSE_MS);
        continue;
      }
      const sent = work().finally(() => pending.delete(sent));
      pending.add(sent);
      await sent;
      await sleep(PAUSE_MS);
    }
  });
  await sleep(STEADY_MS);

  const rotate: Record<Way, () => Promise<void>> = {
    async 'two users'() {
      const former = user;
      user = USERS.find((name) => name !== user) as string;
      password = newPassword();
      await server.changePassword(user, password);
      await mount.rotate({ user, password });
      if (server.retire === undefined) return;
      await sleep(SETTLE_MS);
      await server.retire(former);
    },
    async 'file 2 s late'() {
      password = newPassword();
      await server.changePassword(user, password);
      await sleep(2_000);
      await mount.rotate({ password });
    },
    async 'wrong first'() {
      password = newPassword();
      await server.changePassword(user, password);
      await mount.rotate({ password: newPassword() });
      await sleep(1_500);
      await mount.rotate({ password });
    },
  };
  const outcome = {} as Record<Way, { oldSessions: number; refusedLogins: number }>;
  for (const way of Object.keys(rotate) as Way[]) {
    // A call that this way delays must not count for the phase before it.
    held = true;
    await Promise.race([Promise.all(pending), sleep(HUNG_AFTER_MS)]);
    phase = way;
    held = false;
    await sleep(LOAD_MS);
    const refused = server.refused();
    const old = new Set(await server.sessions());
    await rotate[way]();
    const settled = sleep(SETTLE_MS);
    const oldSessions = await untilGone(server, old, row.keepsSessions ? 0 : GONE_WITHIN_MS);
    await settled;
    outcome[way] = { oldSessions, refusedLogins: server.refused() - refused };
  }
  running = false;
  await Promise.race([Promise.all(loops), sleep(HUNG_AFTER_MS)]);

  const problems = [...((await client.check?.()) ?? []), ...errorsOf(samples)];
  await Promise.race([client.close(), sleep(HUNG_AFTER_MS)]);
  await secrets.close();
  const figures = (way: Way): WayFigures => {
    const own = samples.filter((sample) => sample.phase === way);
    return {
      done: own.filter(({ ms, error }) => ms !== undefined && error === undefined).length,
      failed: own.filter(({ error }) => error !== undefined).length,
      hung: own.filter(({ ms }) => ms === undefined).length,
      ...outcome[way],
      p99Ms: p99(own),
    };
  };
  return {
    steadyP99Ms: p99(samples.filter((sample) => sample.phase === 'steady')),
    ways: {
      'two users': figures('two users'),
      'file 2 s late': figures('file 2 s late'),
      'wrong first': figures('wrong first'),
    },
    problems,
  };
}

const newPassword = () => randomBytes(16).toString('hex');

/** Waits until the old sessions are gone, and returns how many are left. */
async function untilGone(server: Server, old: ReadonlySet<string>, withinMs: number): Promise<number> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const left = (await server.sessions()).filter((key) => old.has(key)).length;
    if (left === 0 || performance.now() > deadline) return left;
    await sleep(20);
  }
}

function errorsOf(samples: readonly Sample[]): string[] {
  const counts = new Map<string, number>();
  for (const { error, phase } of samples) {
    if (error === undefined) continue;
    const { code, message } = error as { code?: unknown; message?: unknown };
    const what = `${phase}: ${code === undefined ? '' : `${code} `}${String(message ?? error).slice(0, 200)}`;
    counts.set(what, (counts.get(what) ?? 0) + 1);
  }
  return [...counts].map(([what, count]) => `${count} failed with ${what}`);
}

function p99(samples: readonly Sample[]): number {
  const sorted = samples
    .flatMap(({ ms, error }) => (ms === undefined || error !== undefined ? [] : [ms]))
    .sort((a, b) => a - b);
  return Math.round((sorted[Math.max(0, Math.ceil(sorted.length * 0.99) - 1)] ?? 0) * 10) / 10;
}
