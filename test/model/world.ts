import {
  type FoundReading,
  type Lookup,
  type Reading,
  type ReadRequest,
  type ReadResult,
  SecretsError,
  type Source,
  type SourceListener,
} from 'hot-secrets';

/** Part of every value, so that a leak is easy to find. */
export const MARKER = 'qzvx';

export const CONDITIONS = ['empty', 'not-utf8', 'refused', 'denied'] as const;
export type Condition = 'good' | (typeof CONDITIONS)[number];

/** One value of a source: its condition, and the version of the source that wrote it. */
export interface Cell {
  readonly condition: Condition;
  readonly stamp: number;
}
export type Picture = ReadonlyMap<string, Cell>;

/** What a read does instead of a normal answer. All but the first five break the contract of sources. */
export const FAULTS = [
  'rejects',
  'hangs',
  'stops when its signal aborts',
  'answers late',
  'denies every secret',
  'rejects with a foreign error',
  'throws',
  'returns null',
  'returns a result without a promise',
  'returns a thenable that throws',
  'resolves with null',
  'resolves with readings in an object',
  'has attributes without tags',
  'has a date as text',
  'has text for bytes',
  'has a null reading',
  'has an unknown status',
] as const;
export type Fault = (typeof FAULTS)[number];

/** How long a read takes, and whether its picture is that of its start or of its end. */
export interface Pace {
  readonly microtasks: number;
  readonly ms: number;
  readonly pictureAtEnd: boolean;
}

export interface SourceTraits {
  /** Answers `unchanged` where it can. */
  readonly revisions: boolean;
  /** Lists what it holds. */
  readonly lists: boolean;
  /** Answers `lookUp` from the picture of its read. */
  readonly looksUp: boolean;
  /** Returns tags with the values. */
  readonly tags: boolean;
}

/** Much later than the bound of a refresh. */
const LATE_MS = 1_500;
const AT_ONCE: Pace = { microtasks: 0, ms: 0, pictureAtEnd: false };

/** The text that a cell holds: the name, the source and the version that wrote it. */
export function valueText(name: string, source: number, stamp: number): string {
  return `${MARKER}.${name}@s${source}:${stamp}`;
}

/** The parts of a value or of a version. */
export function partsOf(value: unknown): { readonly name: string; readonly stamp: number }[] {
  const matches = JSON.stringify(value ?? '').matchAll(
    /(user|password|config|pair\.[ab]|token|extra)@s\d:(\d+)/g,
  );
  return [...matches].map(([, name, stamp]) => ({ name: name as string, stamp: Number(stamp) }));
}

/** A source with a history of versions. Operations decide how its reads behave. */
export class ScriptedSource implements Source {
  readonly name: string;
  readonly location = '';
  readonly index: number;
  readonly traits: SourceTraits;
  /** The picture of each version; the last one is current. */
  readonly history: Picture[];
  /** Called at the start of a read, and after its first wait. */
  within: { start?: (() => void) | undefined; later?: (() => void) | undefined } = {};
  listener: SourceListener | undefined;
  reads = 0;
  stops = 0;
  closes = 0;
  down = false;
  readonly #breach: (what: string) => void;
  readonly #json: ReadonlySet<string>;
  #running = 0;
  #faults: Fault[] = [];
  #paces: Pace[] = [];
  #held: (() => void)[] = [];
  /** `steady` increments it, so that reads that began earlier do not hang. */
  #era = 0;

  constructor(
    index: number,
    traits: SourceTraits,
    names: Iterable<string>,
    json: ReadonlySet<string>,
    breach: (what: string) => void,
  ) {
    this.index = index;
    this.name = `s${index}`;
    this.traits = traits;
    this.#json = json;
    this.#breach = breach;
    this.history = [new Map([...names].map((name) => [name, { condition: 'good', stamp: 0 }]))];
  }

  get picture(): Picture {
    return this.history.at(-1) as Picture;
  }

  /** Makes the next version in one step. */
  change(cells: Readonly<Record<string, Condition | undefined>>): void {
    const stamp = this.history.length;
    const next = new Map(this.picture);
    for (const [name, condition] of Object.entries(cells)) {
      if (condition === undefined) next.delete(name);
      else next.set(name, { condition, stamp });
    }
    this.history.push(next);
  }

  fail(fault: Fault, times: number): void {
    this.#faults.push(...Array<Fault>(times).fill(fault));
  }

  slow(pace: Pace, times: number): void {
    this.#paces.push(...Array<Pace>(times).fill(pace));
  }

  release(): void {
    for (const release of this.#held.splice(0)) release();
  }

  /** Answers at once from now on. Its values stay. */
  steady(): void {
    this.#faults = [];
    this.#paces = [];
    this.within = {};
    this.#era += 1;
    this.release();
  }

  read(request: ReadRequest): Promise<ReadResult> {
    this.reads += 1;
    if (this.closes > 0) this.#breach(`${this.name} is read after it was closed`);
    if (this.#running > 0) this.#breach(`${this.name} is read twice at the same time`);
    const { start, later } = this.within;
    this.within = {};
    const fault = this.#faults.shift() ?? (this.down ? 'rejects' : undefined);
    const pace = this.#paces.shift() ?? AT_ONCE;
    const broken = fault === undefined ? undefined : this.#brokenAnswer(fault);
    if (broken !== undefined) {
      start?.();
      return broken();
    }
    this.#running += 1;
    start?.();
    return this.#answer(request, fault, pace, later).finally(() => {
      this.#running -= 1;
    });
  }

  inventory = async () => [...this.picture.keys()];

  watch(listener: SourceListener): () => void {
    this.listener = listener;
    return () => {
      this.stops += 1;
    };
  }

  close(): void {
    this.closes += 1;
  }

  /** An answer that is not a promise of a result. */
  #brokenAnswer(fault: Fault): (() => never) | undefined {
    const result = { unchanged: false, readings: new Map(), revision: undefined };
    const throwing = {
      // biome-ignore lint/suspicious/noThenProperty: a thenable is what the store has to survive.
      then() {
        throw foreign();
      },
    };
    const answers: Partial<Record<Fault, () => unknown>> = {
      throws() {
        throw foreign();
      },
      'returns null': () => null,
      'returns a result without a promise': () => result,
      'returns a thenable that throws': () => throwing,
    };
    return answers[fault] as (() => never) | undefined;
  }

  async #answer(
    request: ReadRequest,
    fault: Fault | undefined,
    pace: Pace,
    later?: () => void,
  ): Promise<ReadResult> {
    let picture = this.picture;
    const era = this.#era;
    for (let count = 0; count < pace.microtasks; count += 1) await null;
    if (pace.ms > 0) await new Promise((resolve) => setTimeout(resolve, pace.ms));
    later?.();
    if (pace.pictureAtEnd) picture = this.picture;
    switch (fault) {
      case 'rejects':
        throw new SecretsError('SOURCE_FAILED', `${this.name} is down`, { source: this.name });
      case 'rejects with a foreign error':
        throw foreign();
      case 'hangs':
        if (era === this.#era) await new Promise<void>((resolve) => this.#held.push(resolve));
        break;
      case 'answers late':
        await new Promise((resolve) => setTimeout(resolve, LATE_MS));
        break;
      case 'stops when its signal aborts':
        await new Promise((_, reject) => {
          if (request.signal.aborted) reject(foreign());
          request.signal.addEventListener('abort', () => reject(foreign()));
        });
        break;
      case 'resolves with null':
        return null as never;
    }
    return this.#result(request, picture, fault);
  }

  #result({ lookups, list, since }: ReadRequest, picture: Picture, fault: Fault | undefined): ReadResult {
    const version = String(this.history.indexOf(picture));
    const revision = this.traits.revisions ? version : undefined;
    const shaped = fault !== undefined && /^(has|denies|resolves)/.test(fault);
    if (revision !== undefined && since === revision && !shaped) {
      return { unchanged: true, readings: new Map(), revision };
    }
    const listed = list && this.traits.lists ? picture.keys() : [];
    const names = new Set([...lookups.map(({ name }) => name), ...listed]);
    const readings = new Map([...names].map((name) => [name, this.#readingOf(picture, name, fault)]));
    if (fault === 'resolves with readings in an object') {
      return { unchanged: false, readings: Object.fromEntries(readings) as never, revision };
    }
    const lookUp = ({ name }: Lookup) => this.#readingOf(picture, name, fault);
    return { unchanged: false, readings, revision, ...(this.traits.looksUp && { lookUp }) };
  }

  #readingOf(picture: Picture, name: string, fault?: Fault): Reading {
    const cell = picture.get(name);
    if (cell === undefined) return { status: 'missing', looked: `${this.name} ${name}` };
    if (cell.condition === 'denied' || fault === 'denies every secret') {
      const error = new SecretsError('SOURCE_FAILED', `${this.name} denies "${name}"`, { secret: name });
      return { status: 'failed', error };
    }
    const found: FoundReading = {
      status: 'found',
      bytes: this.#bytesOf(name, cell),
      origin: `${this.name} ${name}`,
      version: `${name}@s${this.index}:${cell.stamp}`,
      ...(this.traits.tags ? { attributes: { tags: { stamp: String(cell.stamp) } } } : {}),
    };
    if (fault === undefined) return found;
    const misshapen: Partial<Record<Fault, unknown>> = {
      'has attributes without tags': { ...found, attributes: {} },
      'has a date as text': {
        ...found,
        attributes: { tags: {}, ...found.attributes, expiresOn: '2027-01-01' },
      },
      'has text for bytes': { ...found, bytes: valueText(name, this.index, cell.stamp) },
      'has a null reading': null,
      'has an unknown status': { ...found, status: 'perhaps' },
    };
    return fault in misshapen ? (misshapen[fault] as Reading) : found;
  }

  #bytesOf(name: string, { condition, stamp }: Cell): Uint8Array {
    if (condition === 'empty') return new Uint8Array(0);
    const value = valueText(name, this.index, stamp);
    if (condition === 'not-utf8') return Uint8Array.from([0xff, 0xfe, ...Buffer.from(value)]);
    const text = this.#json.has(name) ? JSON.stringify({ value, ok: condition === 'good' }) : value;
    return new TextEncoder().encode(text);
  }
}

/** An error of another library, whose message repeats a value. */
export function foreign(): Error {
  return Object.assign(new TypeError(`cannot parse ${MARKER}`), { cause: MARKER, detail: MARKER });
}
