import { isSecretsError, SecretsError } from '../../errors';
import { kindOf, ms, type Option } from '../../internal/options';
import { lookup } from '../../secret/lookup';
import type { Reading, Source } from '../source';
import { type IssuedToken, TokenKeeper } from './token-keeper';

/** Options of every source of tokens. Durations are milliseconds. */
export interface TokenOptions {
  /** Time limit of one request for a token. Default: 5 000. */
  readonly requestTimeoutMs?: number | undefined;
  /** How long a store waits for the first token while it opens. Requests that fail are repeated. Default: 20 000. */
  readonly startTimeoutMs?: number | undefined;
  /** The first step of the backoff after a request that failed. Default: 1 000. */
  readonly retryBaseMs?: number | undefined;
  /** The longest step of that backoff, and never more than a twentieth of the lifetime. Default: 30 000. */
  readonly retryMaxMs?: number | undefined;
}

/** Declares the options of `TokenOptions`. */
export const tokenOptions = {
  requestTimeoutMs: ms(5_000, { least: 1 }),
  startTimeoutMs: ms(20_000, { least: 1 }),
  retryBaseMs: ms(1_000, { least: 1 }),
  retryMaxMs: ms(30_000, { least: 1 }),
};

/** A non-empty string that has no default. */
export const required: Option<string> = (given, reject) =>
  typeof given === 'string' && given !== '' ? given : reject('a non-empty string');

interface Setup {
  /** The kind of source: `entra-token`. */
  readonly name: string;
  /** The issuer, for reports: a host or a scope. */
  readonly location: string;
  readonly aliases: readonly string[];
  /** The place of the value, for reports. */
  readonly origin: string;
  readonly requestTimeoutMs: number;
  readonly startTimeoutMs: number;
  readonly retryBaseMs: number;
  readonly retryMaxMs: number;
  issue(signal: AbortSignal): Promise<IssuedToken>;
  explainTimeout?(): SecretsError;
  /** Runs when the last store that uses the source closes. */
  released?(): void;
}

/** Makes a source of values that expire, from a function that issues them. Stores may share it. */
export function tokenSource({ name, location, aliases, origin, ...setup }: Setup): Source {
  const [alias] = aliases as [string];
  const keeper = new TokenKeeper({
    explainTimeout: () => tokenTimeout(name, alias, setup.requestTimeoutMs),
    released: () => {},
    ...setup,
    source: name,
    alias,
  });
  const missing: Reading = { status: 'missing', looked: `a token for "${alias}"` };

  async function readings(fresh: boolean, signal: AbortSignal) {
    try {
      const { values, serial, expiresAt, arrivedAt } = await keeper.get(fresh, signal);
      const attributes = { expiresOn: expiresAt, createdOn: arrivedAt, token: true, tags: {} };
      const found = [...values].map(([one, bytes]): [string, Reading] => [
        one,
        { status: 'found', bytes: Uint8Array.from(bytes), origin, attributes },
      ]);
      return { revision: String(serial), readings: new Map(found) };
    } catch (error) {
      if (signal.aborted || !isSecretsError(error)) throw error;
      // Not of the whole source, which certainly has no other secret.
      return {
        revision: undefined,
        readings: new Map(aliases.map((one) => [one, { status: 'failed', error } as Reading])),
      };
    }
  }

  return {
    name,
    location,
    async read({ lookups, list, since, signal }) {
      const wanted = list || lookups.some((one) => aliases.includes(one.name));
      const others = lookups.map(({ name: one }): [string, Reading] => [one, missing]);
      if (!wanted) return { unchanged: false, readings: new Map(others), revision: undefined };
      const answer = await readings(since === undefined, signal);
      if (since !== undefined && since === answer.revision) {
        return { unchanged: true, readings: new Map(), revision: since };
      }
      const asked = (one: string) => list || lookups.some((other) => other.name === one);
      const own = [...answer.readings].filter(([one]) => asked(one));
      return { unchanged: false, readings: new Map([...others, ...own]), revision: answer.revision };
    },
    inventory: async () => aliases,
    note() {
      const { last } = keeper;
      if (last === undefined) return undefined;
      const end = last.expiresAt.toISOString();
      return keeper.valid === undefined ? `the token expired at ${end}` : `the token expires at ${end}`;
    },
    watch: (listener) => keeper.watch(listener),
    close: () => keeper.close(),
  };
}

/** @throws `OPTION_INVALID`, `NAME_INVALID` if the first argument of a source is not an alias. */
export function assertAlias(where: string, alias: unknown, usage: string): void {
  if (typeof alias === 'string' && alias !== '') {
    lookup(alias);
    return;
  }
  const what = `the first argument of ${where} must be the alias of the secret, not ${kindOf(alias)}`;
  throw new SecretsError('OPTION_INVALID', what, { next: `Write ${usage}.` });
}

function tokenTimeout(source: string, alias: string, limitMs: number): SecretsError {
  return new SecretsError('TOKEN_TIMEOUT', `no token for "${alias}" was issued within ${limitMs} ms`, {
    secret: alias,
    source,
    next: 'Check the network between this process and the issuer, or raise requestTimeoutMs. It is retried.',
  });
}
