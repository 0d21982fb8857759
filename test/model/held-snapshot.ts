import { isSecretsError, type Snapshot } from 'hot-secrets';
import { type Answer, answersOf, type Invariants } from './invariants';
import { partsOf } from './world';

export type Question = 'has' | 'reveal' | 'get' | 'names';

/** A snapshot that somebody keeps, with every answer that it gave. */
export class HeldSnapshot {
  readonly #snapshot: Snapshot;
  readonly #invariants: Invariants;
  readonly #asked = new Map<string, { readonly how: Question; readonly name: string; answer: string }>();
  /** Values that it found when it was asked. */
  readonly #found = new Map<string, Answer>();
  readonly #label: string;

  constructor(snapshot: Snapshot, index: number, invariants: Invariants) {
    this.#snapshot = snapshot;
    this.#invariants = invariants;
    this.#label = `snapshot ${index} of generation ${snapshot.generation}`;
  }

  /** Asks, and says whether the name has a value now. */
  ask(name: string, how: Question): boolean {
    const key = how === 'names' ? how : `${how} ${name}`;
    const answer = this.#answer(name, how);
    const before = this.#asked.get(key);
    if (before === undefined) this.#asked.set(key, { how, name, answer });
    else if (before.answer !== answer) {
      this.#invariants.violated('b', `${this.#label} changes ${key} from ${before.answer} to ${answer}`);
    }
    this.#agrees(name);
    this.#judge();
    return this.#found.has(name);
  }

  /** Asks again whatever was asked before. */
  reread(): void {
    for (const { name, how } of [...this.#asked.values()]) this.ask(name, how);
  }

  #answer(name: string, how: Question): string {
    const snapshot = this.#snapshot;
    try {
      if (how === 'has') return String(snapshot.has(name));
      // What it found for somebody who asked may come to the list; nothing else may.
      if (how === 'names')
        return snapshot
          .names()
          .filter((one) => !this.#found.has(one))
          .sort()
          .join();
      const listed = snapshot.names().includes(name);
      const box = snapshot.get(name);
      const value = how === 'reveal' ? snapshot.reveal(name) : box?.version;
      if (box !== undefined && !listed) {
        this.#found.set(name, { source: Number(box.source.slice(1)), parts: partsOf(box.reveal()) });
      }
      return JSON.stringify(value) ?? 'undefined';
    } catch (error) {
      this.#invariants.noValue(`the error of ${how}("${name}")`, error);
      if (isSecretsError(error)) return `threw ${error.code}`;
      this.#invariants.violated('g', `${how}("${name}") throws ${String(error).slice(0, 300)}`);
      return 'threw';
    }
  }

  /** What it answered about one name in several ways is one answer. */
  #agrees(name: string): void {
    const answers = [...this.#asked.values()].filter((one) => one.name === name && one.how !== 'names');
    const yes = answers.map(({ how, answer }) =>
      how === 'has' ? answer === 'true' : !/^(undefined$|threw)/.test(answer),
    );
    if (new Set(yes).size <= 1) return;
    const told = answers.map(({ how, answer }) => `${how}: ${answer}`).join(', ');
    this.#invariants.violated('b', `${this.#label} contradicts itself about "${name}": ${told}`);
  }

  #judge(): void {
    const listed = answersOf(this.#snapshot);
    this.#invariants.oneGeneration(new Map([...listed, ...this.#found]), this.#label);
    for (const [name, { parts }] of this.#found) {
      const now = listed.get(name);
      if (now !== undefined && JSON.stringify(now.parts) !== JSON.stringify(parts)) {
        this.#invariants.violated('b', `${this.#label} lists another "${name}" than it handed out`);
      }
    }
  }
}
