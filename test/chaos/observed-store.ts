import { subscribe } from 'node:diagnostics_channel';
import { setTimeout as sleep } from 'node:timers/promises';
import type { StandardSchema } from '../../src/definitions/standard-schema';
import {
  environment,
  isSecretsError,
  mountedFiles,
  SecretStore,
  type Snapshot,
  secret,
} from '../../src/index';
import type { RefreshEnded, RefreshStarted } from '../../src/observe/channels';
import type { Source } from '../../src/sources/source';
import { aliasOf, type MountPlan, POLL_MS, REFRESH_TIMEOUT_MS, SETTLE_MS } from './plan';
import { generationOf } from './values';

/** What the process with the stores tells. */
export type Said =
  | { readonly kind: 'violation'; readonly what: string }
  /** A snapshot of a store shows these generations; `optional` is that of the optional secret. */
  | {
      readonly kind: 'shows';
      readonly store: string;
      readonly generations: readonly number[];
      readonly optional: number | undefined;
    };

type Any = Awaited<ReturnType<typeof SecretStore.open>>;

/** A store on one mount, and the rules that each of its snapshots has to keep. */
export class ObservedStore {
  readonly plan: MountPlan;
  readonly #say: (said: Said) => void;
  readonly #more: () => readonly Source[];
  #store: Any | undefined;
  #shown = 0;
  #held: { readonly snapshot: Snapshot; readonly values: readonly string[] } | undefined;
  #expected: { readonly generation: number; readonly since: number } | undefined;
  #polls = new Map<number, number>();

  constructor(plan: MountPlan, more: () => readonly Source[], say: (said: Said) => void) {
    this.plan = plan;
    this.#say = say;
    this.#more = more;
    subscribe('hot-secrets:refresh:start', (message) => this.#started(message as RefreshStarted));
    subscribe('hot-secrets:refresh:end', (message) => this.#ended(message as RefreshEnded));
  }

  get store(): Any {
    return this.#store as Any;
  }

  async open(): Promise<void> {
    const { name, path, store, keys, optional } = this.plan;
    const checked = (alias: string) =>
      this.plan.layout === 'files' ? secret.text(alias, { schema: this.#schema(alias) }) : secret.text(alias);
    const declared = Object.fromEntries(keys.map((key) => [key, checked(key)]));
    const secrets =
      optional === undefined ? declared : { ...declared, [optional]: secret.text(optional).optional() };
    const mount =
      store === 'variable'
        ? environment({ TOKEN_FILE: `${path}/${keys[0]}` }, { pollIntervalMs: POLL_MS })
        : mountedFiles(path, { pollIntervalMs: POLL_MS, settleMs: SETTLE_MS });
    const options = {
      ...{ name, sources: [...this.#more(), mount], refreshTimeoutMs: REFRESH_TIMEOUT_MS },
      on: { error: () => {} },
    };
    this.#store =
      store === 'discovery'
        ? await SecretStore.open(options)
        : ((await SecretStore.open({ ...options, secrets })) as Any);
    this.#store.on('change', () => this.check());
    this.check();
  }

  async close(): Promise<void> {
    const { store } = this;
    this.#store = undefined;
    await store.close();
    await store.close();
  }

  /** Checks the current snapshot, and that the one before still gives the same answers. */
  check(): void {
    if (this.#store === undefined) return;
    try {
      const snapshot = this.#store.snapshot();
      // Neither may throw, whatever state the sources are in.
      this.#store.health();
      this.#store.report();
      if (this.#held?.snapshot === snapshot) return;
      const before = this.#held;
      if (before !== undefined && String(this.#reveal(before.snapshot)) !== String(before.values)) {
        this.#violated('an earlier snapshot changed its answers');
      }
      const values = this.#reveal(snapshot);
      this.#held = { snapshot, values };
      this.#judge(snapshot, values);
    } catch (error) {
      this.#violated(`a snapshot throws ${isSecretsError(error) ? error.code : error}`);
    }
  }

  /**
   * Waits until the store serves a generation and, with `healthy`, has no problem, at most `boundMs`. A poll that started after this call and did
   * not find the generation is a violation.
   */
  async serves(generation: number, healthy: boolean, boundMs: number): Promise<number> {
    const since = performance.now();
    this.#expected = { generation, since };
    for (;;) {
      const isHealthy = !healthy || this.store.health().status === 'ok';
      const waited = performance.now() - since;
      if (this.#shown === generation && isHealthy) break;
      if (waited > boundMs) {
        this.#violated(
          this.#shown === generation
            ? `is not healthy ${boundMs} ms after the fault: ${JSON.stringify(this.#problems())}`
            : `serves generation ${this.#shown} of ${generation} ${boundMs} ms after the fault: ${JSON.stringify(this.#problems())}`,
        );
        break;
      }
      await sleep(3);
    }
    this.#expected = undefined;
    return performance.now() - since;
  }

  #reveal(snapshot: Snapshot): string[] {
    return this.plan.keys.map((key) => snapshot.reveal(aliasOf(this.plan, key)));
  }

  #judge(snapshot: Snapshot, values: readonly string[]): void {
    const { name, keys, optional } = this.plan;
    const generations = values.map((value, index) => generationOf(name, keys[index] as string, value));
    if (generations.includes(undefined)) {
      const spoiled = keys.filter((_, index) => generations[index] === undefined);
      this.#violated(`shows a value of ${spoiled} that is not whole`);
      return;
    }
    const whole = generations as number[];
    const lowest = Math.min(...whole);
    if (lowest < this.#shown) this.#violated(`goes back from generation ${this.#shown} to ${lowest}`);
    this.#shown = lowest;
    const extra =
      optional === undefined ? undefined : generationOf(name, optional, snapshot.reveal(optional));
    this.#say({ kind: 'shows', store: name, generations: whole, optional: extra });
  }

  #schema(key: string): StandardSchema<string> {
    return {
      '~standard': {
        version: 1,
        vendor: 'chaos',
        validate: (value) => {
          if (generationOf(this.plan.name, key, value) === undefined) throw new Error('not whole');
          return { value: value as string };
        },
      },
    };
  }

  #started({ store, trigger, refresh }: RefreshStarted): void {
    if (store === this.plan.name && trigger === 'poll') this.#polls.set(refresh, performance.now());
  }

  #ended({ refresh, store }: RefreshEnded): void {
    const startedAt = store === this.plan.name ? this.#polls.get(refresh) : undefined;
    this.#polls.delete(refresh);
    if (startedAt === undefined || this.#expected === undefined || this.#store === undefined) return;
    const { generation, since } = this.#expected;
    this.check();
    if (startedAt < since || this.#shown === generation) return;
    this.#expected = undefined;
    this.#violated(
      `serves generation ${this.#shown} of ${generation} after a poll that began after the fault: ${JSON.stringify(this.#problems())}`,
    );
  }

  #problems() {
    const { sources, secrets } = this.store.health();
    return [...sources.flatMap(({ problems }) => problems.map(({ message }) => message)), ...secrets];
  }

  #violated(what: string): void {
    this.#say({ kind: 'violation', what: `${this.plan.name}: ${what}` });
  }
}
