import { type PoolHarness, type PoolServer, poolContract } from 'hot-secrets/testing';
import { describe, expect, it } from 'vitest';

/** A server that nobody listens on, for cases that end before their first login. */
const server: PoolServer = {
  host: '127.0.0.1',
  port: 9,
  users: ['first', 'second'],
  setPassword: async () => {},
  sessions: async () => [],
  balances: async () => [],
  createPool: () => {
    throw new Error('this case makes a pool');
  },
};

const caseOf = (harness: PoolHarness, text: string) => {
  const found = poolContract(harness).filter(({ name }) => name.includes(text));
  expect(found).toHaveLength(1);
  return found[0] as (typeof found)[number];
};

describe('poolContract', () => {
  it('lists every case, and skips exactly those that need what the harness cannot do, with the reason', async () => {
    const all = poolContract({ create: () => server });
    const some = poolContract({ create: () => server, cannot: { restart: 'it is shared' } });
    expect(all.filter(({ skipped }) => skipped !== undefined)).toEqual([]);
    expect(some).toHaveLength(all.length);
    const skipped = some.filter((one) => one.skipped !== undefined);
    expect(skipped.map(({ name }) => name)).toEqual([
      expect.stringMatching(/^recovers from a restart .* \(skipped: no restart: it is shared\)$/),
      expect.stringMatching(
        /^swaps to no credential while the server is down.* \(skipped: no restart: it is shared\)$/,
      ),
    ]);
    for (const one of skipped) await expect(one.run()).rejects.toThrow('it is shared');
  });

  it('gives every case another name that begins with a verb', () => {
    const names = poolContract({ create: () => server }).map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    for (const name of names) expect(name).toMatch(/^[a-z]+s /);
  });

  it('fails a case whose server lacks a function that is not declared as impossible', async () => {
    const one = caseOf({ create: () => server }, 'sessions are limited');
    await expect(one.run()).rejects.toThrow(
      'the server of the harness lacks limit(): add it, or set cannot.limit',
    );
  });

  it('cleans up after a case that fails', async () => {
    let cleaned = 0;
    const cleanup = () => {
      cleaned += 1;
    };
    const create = () => ({ ...server, cleanup });
    await expect(caseOf({ create }, 'two users alternate under load, and').run()).rejects.toThrow(
      'this case makes a pool',
    );
    expect(cleaned).toBe(1);
  });
});
