import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { startLoad } from '../../test/support/load';
import { startPostgres } from '../../test/support/postgres';
import { seededRandom } from '../../test/support/seeded-random';
import {
  startTokenDatabase,
  type TokenDatabase,
  TokenIssuer,
  USE_MS,
} from '../../test/support/token-database';
import { createPool, SecretStore, token } from '../support/built';
import { atMost, type FigureOptions, type FigureResult } from '../support/result';

/** A day in two minutes: an hour, the lifetime of a token of Entra ID, passes in five seconds. */
const HOUR_MS = 5_000;
const HOURS = { full: 24, short: 3 };
/** Each outage of the issuer lasts for up to an hour and a half, and as long passes before the next one. */
const OUTAGE_HOURS = { least: 0.1, most: 1.5 };
/** Credentials of Azure cache a token until five minutes before its end. */
const CACHED_MS = HOUR_MS * (55 / 60);
const WORKERS = 4;
const SEED = 1;
const QUERY_PAUSE_MS = 20;
const SAMPLE_MS = 20;

/** What one pool met. */
interface Outcome {
  readonly done: number;
  readonly failed: number;
  /** Failures although a valid token had been issued to the pool for long enough. */
  readonly avoidable: number;
}

/**
 * Runs a day of tokens against a real PostgreSQL, behind proxies that accept every token that has not expired. The issuer is
 * down for half of the time. One pool logs in for each query, and another one keeps its sessions. The control is a plain
 * `pg.Pool` with a function as password, which asks a credential with a cache.
 */
export async function tokens({ size }: FigureOptions): Promise<FigureResult> {
  await using server = await startPostgres({ hba: ['host all app 127.0.0.1/32 trust'] });
  await server.query('create role app login');
  const issuer = new TokenIssuer(HOUR_MS);
  await using database = await startTokenDatabase(server, issuer);
  const plainIssuer = new TokenIssuer(HOUR_MS);
  await using plainDatabase = await startTokenDatabase(server, plainIssuer);

  const reported = new Set<string>();
  const store = await SecretStore.open({
    secrets: { dbToken: 'db-token' },
    sources: [token('db-token', { fetch: issuer.fetch })],
    on: { error: ({ code }) => reported.add(code), expiring: () => {} },
  });
  const pool = createPool(
    store,
    (s) => ({ ...addressOf(database), password: s.reveal('dbToken'), maxUses: 1 }),
    // The default, 15 s, would be three hours.
    { authFailureWaitMs: 50 },
  );
  const keeping = createPool(store, (s) => ({
    ...addressOf(database),
    password: s.reveal('dbToken'),
    idleTimeoutMillis: 0,
  }));
  const plain = new pg.Pool({ ...addressOf(plainDatabase), password: cached(plainIssuer), maxUses: 1 });
  for (const one of [pool, keeping, plain]) one.on('error', () => {});

  const before = await sessionsOf(keeping);
  const loads = [startQueries(pool, issuer), startQueries(plain, plainIssuer)];
  const day = await pass(HOURS[size] * HOUR_MS, [issuer, plainIssuer]);
  const [ours, control] = (await Promise.all(loads.map((load) => load.stop()))) as [Outcome, Outcome];
  const after = await sessionsOf(keeping);
  await Promise.all([pool.end(), keeping.end(), plain.end()]);
  await store.close();
  const avoidable = database.refused.filter((login) => login.avoidable).length;
  return {
    checks: [
      atMost(0, 'logins that are refused while a token is valid', avoidable),
      atMost(0, 'queries that fail while a token is valid', ours.avoidable),
      atMost(0, 'sessions that end at a rotation', before.filter((pid) => !after.includes(pid)).length),
    ],
    details: {
      'simulated hours, each of 5 s': HOURS[size],
      'outages of the issuer': day.outages,
      'share of the time in an outage': day.down,
      'share of the time without a valid token': day.withoutToken,
      'tokens issued': issuer.issued,
      'queries, each with a login': ours.done,
      'queries that fail because no token is valid': ours.failed - ours.avoidable,
      'kinds of problems reported': reported.size,
      'queries of a plain pg.Pool': control.done,
      'queries of a plain pg.Pool that fail while a token is valid': control.avoidable,
      'queries of a plain pg.Pool that fail in all': control.failed,
    },
  };
}

function addressOf({ host, port }: TokenDatabase) {
  return { host, port, user: 'app', database: 'postgres', max: WORKERS };
}

/** A function as password, with the cache of a credential. */
function cached(issuer: TokenIssuer): () => Promise<string> {
  let known: { readonly token: string; readonly until: number } | undefined;
  return async () => {
    if (known === undefined || performance.now() >= known.until) {
      const { token: value } = await issuer.fetch();
      known = { token: value, until: performance.now() + CACHED_MS };
    }
    return known.token;
  };
}

function startQueries(pool: pg.Pool, issuer: TokenIssuer): { stop(): Promise<Outcome> } {
  let avoidable = 0;
  const load = startLoad(WORKERS, async () => {
    const hadToken = issuer.hasValid(USE_MS);
    try {
      await pool.query('select 1');
    } catch (error) {
      if (hadToken && issuer.hasValid(USE_MS)) avoidable += 1;
      throw error;
    } finally {
      await sleep(QUERY_PAUSE_MS);
    }
  });
  return {
    async stop() {
      const { done, failures } = await load.stop();
      return { done, failed: failures.length, avoidable };
    },
  };
}

/** The sessions of a pool on the server, by their process ids. */
async function sessionsOf(pool: pg.Pool): Promise<number[]> {
  const query = () => pool.query<{ pid: number }>('select pg_backend_pid() as pid, pg_sleep(0.1)');
  const results = await Promise.all(Array.from({ length: WORKERS }, query));
  return results.map(({ rows }) => rows[0]?.pid as number);
}

/** Lets the day pass, with outages. Returns the shares of the time that was spent in them and without a valid token. */
async function pass(ms: number, issuers: readonly [TokenIssuer, TokenIssuer]) {
  const random = seededRandom(SEED);
  const startedAt = performance.now();
  const elapsed = () => performance.now() - startedAt;
  let outages = 0;
  let samples = 0;
  let down = 0;
  let withoutToken = 0;
  while (elapsed() < ms) {
    const { least, most } = OUTAGE_HOURS;
    const phaseMs = (least + random() * (most - least)) * HOUR_MS;
    outages += 1;
    for (const isDown of [false, true]) {
      for (const issuer of issuers) issuer.down = isDown;
      const endsAt = Math.min(elapsed() + phaseMs, ms);
      while (elapsed() < endsAt) {
        await sleep(SAMPLE_MS);
        samples += 1;
        if (isDown) down += 1;
        if (!issuers[0].hasValid(0)) withoutToken += 1;
      }
    }
  }
  for (const issuer of issuers) issuer.down = false;
  return { outages, down: down / samples, withoutToken: withoutToken / samples };
}
