import type { Holder } from './holder';
import type { Mount } from './mount';
import type { MountPlan } from './plan';

/** What a fault may use. All that it decides comes from `random`. */
export interface Scene {
  /** The mount of the fault; for a fault of the process, one that this fault may rotate. */
  readonly mount: Mount;
  /** Mounts that no other fault of this moment uses. */
  readonly mounts: readonly Mount[];
  readonly holder: Holder;
  readonly random: Random;
  /** Whether the process with the stores has a user of its own: permissions apply to it, and not to the writer. */
  readonly isOtherUser: boolean;
  /** A directory that no mount contains. */
  readonly outside: string;
  /** The small file system in memory that holds some mounts; `undefined` if there is none. */
  readonly memory: string | undefined;
  /** Waits for a random time. */
  pause(leastMs: number, mostMs: number): Promise<void>;
  /** Waits until the store of the mount serves its newest generation: within one poll. */
  serves(mount: Mount): Promise<void>;
}

/** A kind of fault. When `run` ends, the fault is over, and the newest generation of each mount is on disk. */
export interface Fault {
  readonly kind: string;
  /** `process`: it concerns the process with the stores, and one such fault runs at a time. */
  readonly on: 'volume' | 'files' | 'any mount' | 'process';
  /** The fault needs that permissions apply to the process with the stores. */
  readonly needsPermissions?: boolean | undefined;
  /** The fault needs mount(2). */
  readonly needsMounts?: boolean | undefined;
  /** No other fault runs at the same time. */
  readonly alone?: true;
  /** Chooses among the mounts. */
  fits?(plan: MountPlan): boolean;
  run(scene: Scene): Promise<void> | void;
}

/** Random decisions. */
export class Random {
  readonly #next: () => number;

  constructor(next: () => number) {
    this.#next = next;
  }

  /** An integer from `least` to `most`. */
  integer(least: number, most: number): number {
    return least + Math.floor(this.#next() * (most - least + 1));
  }

  chance(probability: number): boolean {
    return this.#next() < probability;
  }

  one<T>(choices: readonly T[]): T {
    return choices[Math.floor(this.#next() * choices.length)] as T;
  }

  shuffled<T>(items: readonly T[]): T[] {
    const keyed = items.map((item) => [this.#next(), item] as const);
    return keyed.sort(([a], [b]) => a - b).map(([, item]) => item);
  }
}
