import { setTimeout as sleep } from 'node:timers/promises';
import type { KeyVaultEmulator } from 'hot-secrets/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startVault } from '../support/key-vault-clients';
import { openStore, requestsOf, sourceOf } from '../support/key-vault-stage';
import { simulateTime } from '../support/simulated-time';

describe('two vault secrets that change one after the other', () => {
  it('serves both secrets of a pair from one refresh when they change during it, in either order', async () => {
    const vault = await startVault({ secrets: { user: 'n-0', password: 'n-0' } });
    const secrets = { user: 'user', password: 'password' };
    const { store, log } = await openStore(secrets, sourceOf(vault));
    const pairs: string[][] = [];
    store.on('change', () => {
      const snapshot = store.snapshot();
      pairs.push([snapshot.reveal('user'), snapshot.reveal('password')]);
    });
    vault.fail({ kind: 'slow', delayMs: 60 });
    // The delay from the start of the refresh to the first half, and from there to the other half.
    const timings = [
      [30, 60],
      [70, 300],
      [90, 600],
    ] as const;
    for (const [round, [first, gap]] of timings.entries()) {
      const [one, two] = round % 2 === 0 ? ['user', 'password'] : ['password', 'user'];
      const refreshing = store.refresh();
      await sleep(first);
      await vault.set(one as string, `n-${round + 1}`);
      await sleep(gap);
      await vault.set(two as string, `n-${round + 1}`);
      await refreshing;
      await store.refresh();
      expect(store.reveal('user')).toBe(`n-${round + 1}`);
    }
    expect(pairs).toEqual(timings.map((_, round) => [`n-${round + 1}`, `n-${round + 1}`]));
    expect(log.errors).toEqual([]);
  });

  it('keeps the old pair without an error while both are written, and then serves the new one', async () => {
    const vault = await startVault({ secrets: { user: 'n-0', password: 'n-0' } });
    const { during, until, sourceOf } = simulateTime(vault);
    const { store, log } = await during(openStore({ user: 'user', password: 'password' }, sourceOf()));
    let number = 0;
    const writing = setInterval(async () => {
      number += 1;
      await vault.set('user', `n-${number}`);
      await vault.set('password', `n-${number}`);
    }, 400);
    await until(() => number > 0);
    await during(store.refresh());
    clearInterval(writing);
    expect([store.reveal('user'), store.reveal('password')]).toEqual(['n-0', 'n-0']);
    expect(store.report().sources[0]?.note).toBe(
      'secrets are being written: 2 keep the old value until they rest',
    );
    // The source reads again by itself.
    await until(() => store.reveal('user') === `n-${number}`);
    expect(store.reveal('password')).toBe(`n-${number}`);
    expect(log.errors).toEqual([]);
    expect(store.report().sources[0]?.note).toBe('secret names are not listed');
  });

  it('reads each secret once when all were written long before the refresh', async () => {
    const vault = await startVault({ secrets: { user: 'n-0', password: 'n-0' } });
    const requests = requestsOf(vault);
    await openStore({ user: 'user', password: 'password' }, sourceOf(vault));
    expect(requests.all).toEqual(['user 401', 'token 200', 'user 200', 'password 200']);
  });
});

/** Writes `next` to each secret in turn, until the test ends or the list does. */
function writeEach(
  vault: KeyVaultEmulator,
  names: readonly string[],
  everyMs: number,
  written?: (name: string) => void,
) {
  const rest = [...names];
  const timer = setInterval(async () => {
    const name = rest.shift();
    if (name === undefined) return clearInterval(timer);
    await vault.set(name, 'next');
    written?.(name);
  }, everyMs);
  onTestFinished(() => clearInterval(timer));
}

const named = (names: readonly string[]) => Object.fromEntries(names.map((name) => [name, name]));
const first = (names: readonly string[]) => Object.fromEntries(names.map((name) => [name, 'first']));

describe('a batch that writes one vault secret after another', () => {
  it('serves each secret within ten seconds, lets a store open meanwhile, and limits the requests', async () => {
    const names = Array.from({ length: 20 }, (_, index) => `s${index}`);
    const vault = await startVault({ secrets: first(names) });
    const { during, until, sourceOf } = simulateTime(vault);
    const { store, log } = await during(openStore(named(names), sourceOf()));
    const requests = requestsOf(vault);
    const writtenAt = new Map<string, number>();
    const servedAfter = new Map<string, number>();
    const serve = () => {
      for (const [name, at] of writtenAt) {
        if (!servedAfter.has(name) && store.reveal(name) === 'next')
          servedAfter.set(name, performance.now() - at);
      }
    };
    store.on('change', serve);
    // As pushes do: each write triggers a refresh.
    writeEach(vault, names, 800, (name) => {
      writtenAt.set(name, performance.now());
      void store.refresh();
    });
    await until(() => writtenAt.size >= 6);
    expect(servedAfter.has('s0')).toBe(true);
    await until(() => writtenAt.size === names.length, 20);
    const sent = requests.all.length;
    await until(() => servedAfter.size === names.length);
    expect(Math.max(...servedAfter.values())).toBeLessThan(10_000);
    // 16 s of writing: three rounds at once, then one in four seconds.
    expect(sent).toBeLessThan(9 * names.length);
    expect(log.errors).toEqual([]);
  });

  it('opens a store in the middle of a batch, with the values that are there', async () => {
    const names = Array.from({ length: 12 }, (_, index) => `batch-${index}`);
    const vault = await startVault({ secrets: first(names) });
    const { during, sourceOf } = simulateTime(vault);
    await vault.set('batch-11', 'next');
    writeEach(vault, names, 700);
    for (const startTimeoutMs of [20_000, 1_500, 300]) {
      const start = performance.now();
      const { store, log } = await during(openStore(named(names), sourceOf({ startTimeoutMs })));
      expect(performance.now() - start).toBeLessThan(Math.min(startTimeoutMs + 1_000, 5_000));
      await during(store.close());
      expect(log.errors).toEqual([]);
    }
  });

  it('opens a store although the vault fails after the first round of requests', async () => {
    const vault = await startVault();
    const { during, until, sourceOf } = simulateTime(vault);
    for (const name of ['user', 'password']) await vault.set(name, 'first');
    const requests = requestsOf(vault);
    const opening = openStore({ user: 'user', password: 'password' }, sourceOf());
    await until(() => requests.at('password 200') > 0 && requests.at('user 200') > 0);
    vault.fail({ kind: 'unavailable' });
    const { store, log } = await during(opening);
    expect(store.reveal('user')).toBe('first');
    await until(() => log.codes().length > 0);
    expect(log.codes()).toEqual(['VAULT_UNAVAILABLE']);
  });

  it.each([
    ['db-user', 'db-password'],
    ['OrdersDbUser', 'OrdersDbPassword'],
  ])('serves both of %s and %s or none while other secrets are written', async (one, other) => {
    const others = Array.from({ length: 14 }, (_, index) => `s${index}`);
    const vault = await startVault({ secrets: first([...others, one, other]) });
    const { during, until, sourceOf } = simulateTime(vault);
    const { store, log } = await during(openStore(named([...others, one, other]), sourceOf()));
    const pairs = new Set<string>();
    store.on('change', () => {
      const snapshot = store.snapshot();
      pairs.add(`${snapshot.reveal(one)} ${snapshot.reveal(other)}`);
    });
    const order = [...others.slice(0, 2), one, other, ...others.slice(2)];
    writeEach(vault, order, 800, () => void store.refresh());
    await until(() => store.reveal('s0') === 'next');
    await until(() => store.reveal(one) === 'next', 15);
    expect([...pairs]).toEqual(expect.arrayContaining(['next next']));
    expect([...pairs].filter((pair) => pair !== 'first first' && pair !== 'next next')).toEqual([]);
    expect(log.errors).toEqual([]);
  });

  it('serves other secrets, and now and then its own value, while one secret is written all the time', async () => {
    const vault = await startVault({ secrets: { heartbeat: '0', key: 'first', password: 'first' } });
    const { during, until, sourceOf } = simulateTime(vault);
    let beats = 0;
    const beating = setInterval(async () => {
      beats += 1;
      await vault.set('heartbeat', String(beats));
    }, 300);
    onTestFinished(() => clearInterval(beating));
    await until(() => beats > 0);
    const names = ['heartbeat', 'key', 'password'];
    const { store, log } = await during(openStore(named(names), sourceOf()));
    const before = Number(store.reveal('heartbeat'));
    await vault.set('key', 'next');
    const requests = requestsOf(vault);
    await until(() => store.reveal('key') === 'next');
    await until(() => Number(store.reveal('heartbeat')) > before, 30);
    expect(log.errors).toEqual([]);
    expect(requests.all.length).toBeLessThan(names.length * 12);
  });

  it('limits the rounds of requests while a trigger follows each of many slow writes', async () => {
    const names = ['one', 'two', 'three'];
    const vault = await startVault({ secrets: first(names) });
    const { during, pass, sourceOf } = simulateTime(vault);
    const { store, log } = await during(openStore(named(names), sourceOf()));
    let number = 0;
    const requests = requestsOf(vault);
    const writing = setInterval(async () => {
      number += 1;
      await vault.set(names[number % 3] as string, `n-${number}`);
      void store.refresh();
    }, 1_300);
    onTestFinished(() => clearInterval(writing));
    await pass(16);
    // Four reads of two rounds come at once, and the others after one, two and four seconds.
    expect(requests.all.length / names.length).toBeLessThan(16);
    expect(log.errors).toEqual([]);
  });
});
