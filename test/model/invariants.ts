import { inspect } from 'node:util';
import { type ChangeEvent, isSecretsError, type SecretStore, type SecretsError } from 'hot-secrets';
import { MARKER, type Picture, partsOf, type ScriptedSource } from './world';

/** The value that a store serves for one name. */
export interface Answer {
  readonly source: number;
  readonly parts: readonly { readonly name: string; readonly stamp: number }[];
}
export type Answers = ReadonlyMap<string, Answer>;

/** What a store serves now. It takes the versions from the report, because `reveal` would count as a read. */
export function answersOf(store: Pick<SecretStore, 'report'>): Map<string, Answer> {
  const served = store.report().secrets.filter(({ source }) => source !== undefined);
  return new Map(
    served.map(({ name, source, version }) => [
      name,
      { source: Number(source?.slice(1)), parts: partsOf(version) },
    ]),
  );
}

/** The invariants. A violation starts with the letter of its invariant. */
export class Invariants {
  readonly violations: string[] = [];
  readonly #sources: readonly ScriptedSource[];
  /** Names that keep their last value when they vanish. */
  readonly #optional: (name: string) => boolean;
  /** Names that may leave a store: discovered names that nobody has read. */
  readonly #mayLeave: (name: string) => boolean;
  readonly #only: string;

  constructor(
    sources: readonly ScriptedSource[],
    names: { readonly optional: (name: string) => boolean; readonly mayLeave: (name: string) => boolean },
  ) {
    this.#sources = sources;
    this.#optional = names.optional;
    this.#mayLeave = names.mayLeave;
    this.#only = process.env.MODEL_INVARIANTS ?? '';
  }

  violated(letter: string, what: string): void {
    if (this.#only === '' || this.#only.includes(letter)) this.violations.push(`(${letter}) ${what}`);
  }

  /** (a) All values from one source belong to one version of it. */
  oneGeneration(answers: Answers, where: string): void {
    for (const { index, name } of this.#sources) {
      const served = [...answers].filter(([, answer]) => answer.source === index);
      const foreign = served.filter(([, { parts }]) => parts.length === 0);
      if (foreign.length > 0) this.violated('a', `${where} serves a value that ${name} never held`);
      if (this.#versions(index, answers).length > 0) continue;
      const versions = served.map(
        ([one, { parts }]) => `${one}@${parts.map(({ stamp }) => stamp).join('+')}`,
      );
      this.violated('a', `${where} mixes versions of ${name}: ${versions.join(', ')}`);
    }
  }

  /** (c) and (d): the event of a generation names its changes, no value gets older, and no name moves down. */
  next(before: Answers, after: Answers, event: ChangeEvent): void {
    const where = `generation ${event.generation}`;
    const kinds = new Map<string, string>();
    for (const [name, answer] of after) {
      if (!same(before.get(name), answer)) kinds.set(name, before.has(name) ? 'rotated' : 'added');
    }
    for (const name of before.keys()) if (!after.has(name)) kinds.set(name, 'removed');
    const list = (all: Iterable<readonly [string, string]>) =>
      [...all]
        .map(([name, kind]) => `${name} ${kind}`)
        .sort()
        .join(', ');
    const reported = list(event.changes.map(({ name, kind }) => [name, kind]));
    if (reported !== list(kinds))
      this.violated('c', `${where} reports ${reported}, but changes ${list(kinds)}`);
    for (const { name, source } of event.changes) {
      const served = after.get(name) ?? before.get(name);
      if (source !== `s${served?.source}`) this.violated('c', `${where} reports "${name}" from ${source}`);
    }
    this.neverDown(before, after, where);
    this.#goesForward(before, after, where);
  }

  /** (d) A name stays with its source or moves up, and moves up only to a complete picture. */
  neverDown(before: Answers, after: Answers, where: string): void {
    for (const [name, { source }] of before) {
      const now = after.get(name);
      if (now === undefined && !this.#mayLeave(name))
        this.violated('d', `${where} lacks "${name}", which was served`);
      if (now === undefined || now.source === source) continue;
      if (now.source > source) this.violated('d', `"${name}" moves down from s${source} to s${now.source}`);
      else if (!this.#whole(now.source, before, after)) {
        this.violated('d', `"${name}" moves up to s${now.source}, whose picture is incomplete`);
      }
    }
  }

  /** (i) No event, error or report holds a value. */
  noValue(where: string, value: unknown): void {
    const printed = inspect(value, { showHidden: true, depth: 10 }) + JSON.stringify(value);
    if (printed.includes(MARKER)) this.violated('i', `${where} holds a value: ${printed.slice(0, 300)}`);
  }

  /** (g) Runs a function that may throw only the given codes. */
  harmless<T>(what: string, run: () => T, ...codes: SecretsError['code'][]): T | undefined {
    try {
      return run();
    } catch (error) {
      if (!isSecretsError(error) || !codes.includes(error.code)) {
        this.violated('g', `${what} throws ${String(error).slice(0, 300)}`);
      }
      this.noValue(`the error of ${what}`, error);
      return undefined;
    }
  }

  #goesForward(before: Answers, after: Answers, where: string): void {
    for (const [name, answer] of after) {
      const was = before.get(name);
      if (was?.source !== answer.source) continue;
      const back = answer.parts.some(({ stamp }, part) => stamp < (was.parts[part]?.stamp ?? 0));
      if (back) this.violated('c', `${where} goes back to an older value of "${name}"`);
    }
  }

  /** The versions of a source to which all its answers can belong. */
  #versions(index: number, answers: Answers): Picture[] {
    const served = [...answers].filter(([, { source }]) => source === index);
    const history = (this.#sources[index] as ScriptedSource).history;
    return history.filter((picture) =>
      served.every(([name, { parts }]) => {
        const gone = parts.every((part) => !picture.has(part.name));
        if (gone) return this.#optional(name);
        return parts.every((part) => {
          const cell = picture.get(part.name);
          return cell?.condition === 'good' && cell.stamp === part.stamp;
        });
      }),
    );
  }

  /** Whether the source has a good value for each name that it, or a source below it, served. */
  #whole(index: number, before: Answers, after: Answers): boolean {
    // A discovered name that nobody has read may leave, so it does not hold up the others.
    const concerned = [...before].filter(([name, { source }]) => source >= index && after.has(name));
    return this.#versions(index, after).some((picture) =>
      concerned.every(([, { parts }]) => {
        const cells = parts.map((part) => picture.get(part.name));
        return cells.every((cell) => cell === undefined) || cells.every((cell) => cell?.condition === 'good');
      }),
    );
  }
}

function same(a: Answer | undefined, b: Answer): boolean {
  return a?.source === b.source && JSON.stringify(a.parts) === JSON.stringify(b.parts);
}
