import { createHmac } from 'node:crypto';
import * as fastJwt from 'fast-jwt';
import type { Keyring } from '../../src/adapters/keyring/index';
import type { SecretStore as Store } from '../../src/index';
import type { Reading, ReadRequest, ReadResult, Source } from '../../src/sources/source';
import { forFastJwt, keyring, SecretStore, secret } from '../support/built';

/** Ways to choose the key that signs and the keys that verify. */
export const WAYS = ['keyring', 'newest', 'memory', 'files'] as const;
export type Way = (typeof WAYS)[number];

/** A token of each way. */
export type Tokens = Readonly<Record<Way, string>>;

/** A key in the vault, with the time of its version. */
export interface VaultKey {
  readonly value: string;
  readonly createdAtMs: number;
}

/** The newest key first. */
export type Versions = readonly VaultKey[];

export interface Periods {
  readonly signAfterMs: number;
  readonly verifyForMs: number;
}

const NAMES = ['signing', 'signing.previous', 'signing.older'] as const;

/** What a node has written for one pod. It outlives a container, not a pod. */
export interface Written {
  readonly versions: Versions;
  readonly atMs: number;
}

/** One process of a service, with a real store. */
export class Replica {
  written: Written;
  readonly #periods: Periods;
  readonly #isVault: boolean;
  readonly #random: () => number;
  #store!: Store<Record<string, unknown>>;
  #keys!: Keyring;
  #jwt!: ReturnType<typeof forFastJwt>;

  constructor(written: Written, periods: Periods, isVault: boolean, random: () => number) {
    this.written = written;
    this.#periods = periods;
    this.#isVault = isVault;
    this.#random = random;
  }

  async start(): Promise<void> {
    const { signAfterMs, verifyForMs } = this.#periods;
    const keepPreviousMs = 2 * signAfterMs + verifyForMs;
    const secrets = {
      signing: secret.text('signing', { keepPreviousMs }),
      'signing.previous': secret.text('signing.previous').optional(),
      'signing.older': secret.text('signing.older').optional(),
    };
    const store = await SecretStore.open({ secrets, sources: [this.#source()] });
    this.#store = store as unknown as Store<Record<string, unknown>>;
    this.#keys = keyring(store, 'signing', {
      previous: ['signing.previous', 'signing.older'],
      signAfterMs,
      verifyForMs,
    });
    this.#jwt = forFastJwt(this.#keys, fastJwt);
  }

  async stop(): Promise<void> {
    await this.#store.close();
  }

  async write(written: Written): Promise<void> {
    this.written = written;
    await this.#store.refresh();
  }

  sign(body: string): Tokens {
    const newest = signed(body, this.#store.reveal('signing') as string);
    return { keyring: this.#jwt.sign({ body }), newest, memory: newest, files: newest };
  }

  accepts(way: Way, token: string): boolean {
    if (way !== 'keyring') return this.#accepted(way).some((value) => hasSigned(token, value));
    try {
      this.#jwt.verify(token);
      return true;
    } catch {
      return false;
    }
  }

  #accepted(way: Way): readonly string[] {
    if (way === 'newest') return [this.#store.reveal('signing') as string];
    if (way === 'memory') return this.#store.revealWithPrevious('signing') as readonly string[];
    const values = NAMES.map((name) => this.#store.reveal(name) as string | undefined);
    return values.filter((value) => value !== undefined);
  }

  /** As a mount of a pod, whose files appeared when the node wrote them, or as a vault, which knows when a version was made. */
  #source(): Source {
    return {
      name: this.#isVault ? 'key-vault' : 'mounted-files',
      location: '',
      inventory: async () => NAMES,
      read: async ({ lookups }: ReadRequest): Promise<ReadResult> => {
        const readings = lookups.map(({ name }): [string, Reading] => {
          const key = this.written.versions[NAMES.indexOf(name as 'signing')];
          if (key === undefined) return [name, { status: 'missing', looked: name }];
          const createdOn = new Date(key.createdAtMs);
          const known = this.#isVault
            ? { appearedAtMs: key.createdAtMs, attributes: { createdOn, tags: {} } }
            : { appearedAtMs: this.written.atMs };
          const bytes = new TextEncoder().encode(key.value);
          return [name, { status: 'found', bytes, origin: name, ...known }];
        });
        return { unchanged: false, readings: new Map(readings), revision: String(this.#random()) };
      },
    };
  }
}

function signed(body: string, value: string): string {
  return `${body}.${createHmac('sha256', value).update(body).digest('base64url')}`;
}

function hasSigned(token: string, value: string): boolean {
  return signed(token.slice(0, token.lastIndexOf('.')), value) === token;
}
