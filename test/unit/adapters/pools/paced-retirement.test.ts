import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import {
  PacedRetirement,
  type PoolConnections,
  type PooledConnection,
} from '../../../../src/adapters/pools/paced-retirement';

const COUNT = 100;

/** Replaces a hundred idle connections of a pool that has reached its limit, and returns how it went. */
async function replaceAll({ retireOverMs, loginMs }: { retireOverMs: number; loginMs: number }) {
  const open = new Set<PooledConnection>(
    Array.from({ length: COUNT }, () => ({ credentialId: 1, loggingIn: false })),
  );
  let loggingIn = 0;
  let mostAtOnce = 0;
  const connections: PoolConnections<PooledConnection> = {
    max: COUNT,
    all: () => [...open],
    idle: () => [...open],
    close(idle) {
      open.delete(idle);
      retirement.removed(idle);
    },
    closeReleased() {},
    watch: () => () => {},
    abortLogin() {},
    onceEnded: (_, ended) => ended(),
  };
  const retirement = new PacedRetirement(connections, {
    retireOverMs,
    loginTimeoutMs: 5_000,
    isStale: ({ credentialId }) => credentialId === 1,
    isTooMany: () => false,
    mayLogIn: () => true,
    canServe: () => true,
    logIn(done) {
      loggingIn += 1;
      mostAtOnce = Math.max(mostAtOnce, loggingIn);
      const connection = { credentialId: 2, loggingIn: false };
      open.add(connection);
      void sleep(loginMs).then(() => {
        loggingIn -= 1;
        done(undefined);
      });
      return connection;
    },
  });
  const started = performance.now();
  retirement.start();
  const isDone = () => loggingIn === 0 && [...open].every(({ credentialId }) => credentialId === 2);
  await vi.waitFor(() => expect(isDone()).toBe(true), { timeout: 20_000, interval: 5 });
  retirement.stop();
  return { open: open.size, mostAtOnce, tookMs: performance.now() - started };
}

test('spreads the logins of a large pool over the whole time, although the jitter may halve each turn', async () => {
  const { open, tookMs } = await replaceAll({ retireOverMs: 1_000, loginMs: 0 });
  expect(open).toBe(COUNT);
  expect(tookMs).toBeGreaterThan(490);
});

test('logs in several times at once, but at most one time for ten connections, when logins take longer than turns', async () => {
  const { open, mostAtOnce } = await replaceAll({ retireOverMs: 100, loginMs: 50 });
  expect(open).toBe(COUNT);
  expect(mostAtOnce).toBeGreaterThan(1);
  expect(mostAtOnce).toBeLessThanOrEqual(COUNT / 10);
});
