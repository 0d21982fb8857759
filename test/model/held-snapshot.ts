import { isSecretsError, type Snapshot } from 'hot-secrets';
import type { Answer, Invariants } from './invariants';
import { partsOf } from './world';

export type Question = 'has' | 'reveal' | 'get' | 'names';

/** A snapshot that the application keeps, with all its answers so far. */
export class HeldSnapshot {
  /** The values that it revealed. */
  readonly revealed = new Map<string, Answer>();
  readonly #snapshot: Snapshot;
  readonly #invariants: Invariants;
  readonly #asked = new Map<
    string,
    { readonly how: Question; readonly name: string; readonly answer: string }
  >();
  readonly #label: string;
  /** The names that it listed first. The list may lack a name that it finds on demand. */
  readonly #listed: ReadonlySet<string>;

  constructor(snapshot: Snapshot, index: number, invariants: Invariants) {
    this.#snapshot = snapshot;
    this.#invariants = invariants;
    this.#label = `snapshot ${index} of generation ${snapshot.generation}`;
    this.#listed = new Set(snapshot.names());
    this.ask('', 'names');
  }

  readAll(): void {
    for (const name of this.#listed) this.ask(name, 'reveal');
  }

  ask(name: string, how: Question): void {
    const key = how === 'names' ? how : `${how} ${name}`;
    const answer = this.#answer(name, how);
    const before = this.#asked.get(key);
    if (before === undefined) this.#asked.set(key, { how, name, answer });
    else if (before.answer !== answer) {
      this.#invariants.violated('b', `${this.#label} changes ${key} from ${before.answer} to ${answer}`);
    }
    this.#agrees(name);
    this.#invariants.oneGeneration(this.revealed, this.#label);
  }

  /** Repeats every earlier question. */
  reread(): void {
    for (const { name, how } of [...this.#asked.values()]) this.ask(name, how);
  }

  #answer(name: string, how: Question): string {
    const snapshot = this.#snapshot;
    try {
      if (how === 'has') return String(snapshot.has(name));
      if (how === 'names') {
        return snapshot
          .names()
          .filter((one) => this.#listed.has(one) || !this.revealed.has(one))
          .sort()
          .join();
      }
      const box = snapshot.get(name);
      if (how === 'get' || box === undefined) return String(box?.version);
      const value = snapshot.reveal(name);
      this.revealed.set(name, { source: Number(box.source.slice(1)), parts: partsOf(value) });
      return JSON.stringify(value);
    } catch (error) {
      this.#invariants.noValue(`the error of ${how}("${name}")`, error);
      if (isSecretsError(error)) return `threw ${error.code}`;
      this.#invariants.violated('g', `${how}("${name}") throws ${String(error).slice(0, 300)}`);
      return 'threw';
    }
  }

  /** All answers about one name have to agree. */
  #agrees(name: string): void {
    const answers = [...this.#asked.values()].filter((one) => one.name === name && one.how !== 'names');
    const found = answers.map(({ how, answer }) =>
      how === 'has' ? answer === 'true' : !/^(undefined$|threw)/.test(answer),
    );
    const listed = this.#listed.has(name) ? [true] : [];
    if (new Set([...found, ...listed]).size <= 1) return;
    const summary = answers.map(({ how, answer }) => `${how}: ${answer}`).join(', ');
    this.#invariants.violated('b', `${this.#label} contradicts itself about "${name}": ${summary}`);
  }
}
