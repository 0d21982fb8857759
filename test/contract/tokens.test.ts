import { setTimeout as sleep } from 'node:timers/promises';
import { type ContractValues, type SourceHarness, sourceContract } from 'hot-secrets/testing';
import { describe, it } from 'vitest';
import { tokenSource } from '../../src/sources/tokens/token-source';

/** The values expire so soon that each read finds what the issuer holds at that time. */
const LIFETIME_MS = 20;
/** The same while somebody waits until the hints of one change are over. */
const WATCHED_LIFETIME_MS = 400;

const issued: SourceHarness = {
  create(initial) {
    let values: ContractValues = { ...initial };
    let hangs = false;
    let lifetimeMs = LIFETIME_MS;
    const change = async (next: ContractValues) => {
      values = next;
      await sleep(lifetimeMs + 5);
    };
    const source = tokenSource({
      name: 'token',
      location: 'an issuer',
      aliases: Object.keys(initial),
      origin: 'an issuer',
      requestTimeoutMs: 5_000,
      startTimeoutMs: 5_000,
      retryBaseMs: 10,
      retryMaxMs: 10,
      async issue() {
        if (hangs) return new Promise(() => {});
        const bytes = Object.entries(values).map(
          ([name, value]) => [name, Uint8Array.from(Buffer.from(value))] as const,
        );
        return { values: new Map(bytes), expiresAt: new Date(Date.now() + lifetimeMs) };
      },
    });
    return {
      source: {
        ...source,
        watch(listener) {
          lifetimeMs = WATCHED_LIFETIME_MS;
          return source.watch?.(listener) ?? (() => {});
        },
      },
      set: (changes) => change({ ...values, ...changes }),
      remove: (...names) =>
        change(Object.fromEntries(Object.entries(values).filter(([name]) => !names.includes(name)))),
      async hang() {
        hangs = true;
        await sleep(lifetimeMs + 5);
      },
    };
  },
};

describe('a source of tokens', () => {
  for (const one of sourceContract(issued)) it(one.name, one.run);
});
