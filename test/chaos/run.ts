import { setTimeout as sleep } from 'node:timers/promises';
import { seededRandom } from '../support/seeded-random';
import { type Fault, Random, type Scene } from './faults';
import { filesFaults } from './faults-files';
import { mountFaults } from './faults-mount';
import { processFaults } from './faults-process';
import { volumeFaults } from './faults-volume';
import { Holder, isOtherUser } from './holder';
import { Mount } from './mount';
import type { Said } from './observed-store';
import { mountPlans, POLL_MS } from './plan';

const FAULTS: readonly Fault[] = [...volumeFaults, ...filesFaults, ...mountFaults, ...processFaults];
/** After this many violations, the run ends. */
const MAX_VIOLATIONS = 10;
/** How many faults before a violation are printed. */
const HISTORY = 6;
/** Long enough for a poll on a busy machine. A poll that finds nothing is a violation at once. */
const BOUND_MS = 8000;
/** Nothing takes this long. */
const FAULT_BOUND_MS = 40_000;

interface Options {
  readonly base: string;
  readonly memory: string | undefined;
  readonly outside: string;
  readonly temporary: string;
  readonly isRoot: boolean;
  readonly faults: number;
  readonly seed: number;
  /** Runs only the kinds that contain this text. */
  readonly only: string | undefined;
}

/** One fault of the run: its kind, its mount and its own random numbers. */
interface Planned {
  readonly number: number;
  readonly fault: Fault;
  readonly mount: Mount;
  readonly random: Random;
}

/** Breaks mounts and the process that reads them, and checks after each fault that the stores follow. */
export class Run {
  readonly #options: Options;
  readonly #mounts: readonly Mount[];
  readonly #counts = new Map<string, number>();
  readonly #history: string[] = [];
  readonly #healMs: number[] = [];
  readonly #random: Random;
  #holder!: Holder;
  readonly #isOtherUser = isOtherUser();
  #bag: Fault[] = [];
  #current: readonly Planned[] = [];
  #unclear: Extract<Said, { kind: 'shows' }>[] = [];
  #violations = 0;
  #snapshots = 0;
  #halfWay = 0;
  #skipped: string[] = [];

  constructor(options: Options) {
    this.#options = options;
    this.#mounts = mountPlans(options.base, options.memory ?? `${options.base}/memory`).map(
      (plan) => new Mount(plan),
    );
    this.#random = new Random(seededRandom(options.seed));
  }

  /** Resolves with the exit status. */
  async finish(): Promise<number> {
    const { faults, seed, temporary } = this.#options;
    const startedAt = performance.now();
    for (const mount of this.#mounts) mount.publish();
    console.log(`chaos: ${faults} faults, seed ${seed}`);
    this.#holder = await Holder.start(
      this.#mounts.map(({ plan }) => plan),
      temporary,
      (said) => this.#heard(said),
    );
    const kinds = this.#kinds();
    let hasEnded = false;
    this.#holder.child.once('exit', () => {
      hasEnded = true;
    });
    for (let number = 1; number <= faults && this.#violations < MAX_VIOLATIONS && !hasEnded; ) {
      const batch = this.#next(number, Math.min(faults - number + 1, this.#random.one([1, 2, 3, 4])), kinds);
      number += batch.length;
      await this.#inject(batch);
      if (Math.floor((number - 1) / 100) > Math.floor((number - 1 - batch.length) / 100)) {
        const seconds = ((performance.now() - startedAt) / 1000).toFixed(0);
        console.log(`${number - 1} faults, ${this.#violations} violations, ${seconds} s`);
      }
    }
    if (hasEnded) this.#violated('the process with the stores has ended');
    await this.#holder.call({ call: 'reopen' }).catch((error) => this.#violated(String(error)));
    const code = await this.#holder.end();
    if (code !== 0) this.#violated(`the process with the stores exits with ${code} after close()`);
    await Promise.all(this.#mounts.map(({ writer }) => writer.end()));
    this.#report(performance.now() - startedAt);
    return this.#violations === 0 ? 0 : 1;
  }

  /** The kinds that can run here. */
  #kinds(): Fault[] {
    const { isRoot, memory, only } = this.#options;
    const permissionsApply = !isRoot || this.#isOtherUser;
    const able = FAULTS.filter(
      ({ needsPermissions, needsMounts }) =>
        (!needsPermissions || permissionsApply) && (!needsMounts || memory !== undefined),
    );
    this.#skipped = FAULTS.filter((fault) => !able.includes(fault)).map(({ kind }) => kind);
    if (!isRoot)
      console.log('not root: the writer and the stores are of one user, and denied mounts do not rotate');
    if (memory === undefined)
      console.log('no mount(2): a full file system is emulated by half-written files');
    if (!this.#holder.hasOwnLimits)
      console.log('no limit of watches of its own: a failing fs.watch stands for it');
    return able.filter(({ kind }) => only === undefined || kind.includes(only));
  }

  /** Plans faults that run at the same time: at most one of the process, and the others on mounts of their own. */
  #next(first: number, count: number, kinds: readonly Fault[]): Planned[] {
    const batch: Planned[] = [];
    let free = this.#random.shuffled(this.#mounts);
    while (batch.length < count) {
      if (this.#bag.length === 0) this.#bag = this.#random.shuffled(kinds);
      const fault = this.#bag[0] as Fault;
      const mount = free.find(({ plan }) => fits(fault, plan.layout) && (fault.fits?.(plan) ?? true));
      const isBusy =
        fault.alone || (fault.on === 'process' && batch.some((one) => one.fault.on === 'process'));
      if (batch.length > 0 && (isBusy || mount === undefined)) break;
      if (mount === undefined) throw new Error(`no mount fits ${fault.kind}`);
      this.#bag.shift();
      free = free.filter((one) => one !== mount);
      const random = new Random(seededRandom(this.#random.integer(0, 2 ** 31)));
      batch.push({ number: first + batch.length, fault, mount, random });
      if (fault.alone) break;
    }
    return batch;
  }

  async #inject(batch: readonly Planned[]): Promise<void> {
    this.#current = batch;
    const used = new Set(batch.map(({ mount }) => mount));
    const free = this.#mounts.filter((mount) => !used.has(mount));
    for (const { number, fault, mount } of batch) {
      this.#counts.set(fault.kind, (this.#counts.get(fault.kind) ?? 0) + 1);
      this.#history.push(`#${number} ${fault.kind} (${mount.plan.name})`);
    }
    const before = this.#violations;
    await Promise.all(batch.map((planned) => this.#run(planned, free)));
    const generations = Object.fromEntries(this.#mounts.map(({ plan, newest }) => [plan.name, newest]));
    try {
      const call = { call: 'serves', generations, healthy: true, boundMs: BOUND_MS } as const;
      const healing = this.#holder.call<number[]>(call);
      this.#healMs.push(...(await bounded(healing, FAULT_BOUND_MS, 'the process with the stores hangs')));
    } catch (error) {
      this.#violated(String(error));
    }
    for (const said of this.#unclear.splice(0)) this.#judgeHalfWay(said);
    if (this.#violations > before) console.log(`  before: ${this.#history.slice(-HISTORY).join('; ')}`);
  }

  async #run({ fault, mount, random }: Planned, free: readonly Mount[]): Promise<void> {
    const { outside, memory } = this.#options;
    const scene: Scene = {
      ...{ mount, random, outside, memory, isOtherUser: this.#isOtherUser, holder: this.#holder },
      mounts: fault.on === 'process' ? [mount, ...free] : [mount],
      pause: (leastMs, mostMs) => sleep(random.integer(leastMs, mostMs)),
      serves: async ({ plan, newest }) => {
        const generations = { [plan.name]: newest };
        await this.#holder.call({ call: 'serves', generations, healthy: false, boundMs: BOUND_MS });
      },
    };
    try {
      await bounded(Promise.resolve(fault.run(scene)), FAULT_BOUND_MS, `${fault.kind} does not end`);
    } catch (error) {
      this.#violated(`the fault itself failed: ${(error as Error).stack}`);
    }
  }

  #heard(said: Said): void {
    if (said.kind === 'violation') {
      this.#violated(said.what);
      return;
    }
    this.#snapshots += 1;
    const mount = this.#mounts.find(({ plan }) => plan.name === said.store) as Mount;
    const [first, ...others] = said.generations as [number, ...number[]];
    const unknown = said.generations.find((generation) => !mount.whole.has(generation));
    if (unknown !== undefined) {
      this.#violated(`${said.store}: shows generation ${unknown}, which was never whole on disk`);
      return;
    }
    if (others.some((generation) => generation !== first)) {
      // Whether the writer paused for too long is known once it has ended.
      this.#unclear.push(said);
      return;
    }
    if (mount.plan.optional === undefined) return;
    const isRight = mount.whole.get(first)?.hasOptional
      ? said.optional === first
      : said.optional !== undefined && said.optional < first && mount.whole.get(said.optional)?.hasOptional;
    if (!isRight) this.#unclear.push(said);
  }

  /** A pair that is torn is a violation, unless its writer paused for longer than the store waits for files to be at rest. */
  #judgeHalfWay({ store, generations, optional }: Extract<Said, { kind: 'shows' }>): void {
    const { halfWay } = this.#mounts.find(({ plan }) => plan.name === store) as Mount;
    if ([...generations, optional].some((generation) => halfWay.has(generation as number)))
      this.#halfWay += 1;
    else
      this.#violated(
        `${store}: shows generations ${generations} together, and ${optional} of the optional secret`,
      );
  }

  #violated(what: string): void {
    this.#violations += 1;
    const during = this.#current.map(
      ({ number, fault, mount }) => `#${number} ${fault.kind} (${mount.plan.name})`,
    );
    console.log(`VIOLATION ${what}\n  during: ${during.join('; ') || 'the start'}`);
  }

  #report(durationMs: number): void {
    const { seed } = this.#options;
    for (const [kind, count] of [...this.#counts].sort()) console.log(`${String(count).padStart(4)} ${kind}`);
    for (const kind of this.#skipped) console.log(`   - ${kind}: skipped, because this user may not`);
    const sorted = this.#healMs.toSorted((a, b) => a - b);
    const at = (part: number) => Math.round(sorted[Math.ceil(part * sorted.length) - 1] ?? 0);
    const total = [...this.#counts.values()].reduce((sum, count) => sum + count, 0);
    console.log(
      [
        `${total} faults of ${this.#counts.size} kinds, seed ${seed}, ${(durationMs / 1000).toFixed(0)} s`,
        `${this.#snapshots} snapshots checked, ${this.#halfWay} half-way because the writer paused longer than settleMs`,
        `newest generation after the fault: median ${at(0.5)} ms, 99 % ${at(0.99)} ms, longest ${at(1)} ms (poll: ${POLL_MS} ms)`,
        `${this.#violations} violations`,
      ].join('\n'),
    );
  }
}

function bounded<T>(work: Promise<T>, ms: number, what: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(what)), ms);
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

function fits({ on }: Fault, layout: 'volume' | 'files'): boolean {
  return on === layout || on === 'any mount' || on === 'process';
}
