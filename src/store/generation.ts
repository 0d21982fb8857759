import type { Definition } from '../definitions/definition';
import { isSecretsError, type SecretsError } from '../errors';
import {
  discovered,
  type Entry,
  type Finding,
  isBlank,
  type Problem,
  type Resolution,
  type SourceView,
  type ViewedAnswer,
} from './resolve';
import type { SourceReader, SourceReading } from './source-reader';
import type { SecretChange } from './types';

/** One consistent state of all secrets. It never changes. Each refresh that finds changes makes the next generation. */
export interface Generation {
  readonly number: number;
  readonly madeAt: Date;
  readonly entries: ReadonlyMap<string, Entry>;
  /** All sources, in order of precedence. */
  readonly views: ReadonlyMap<SourceReader, SourceView>;
  /** The error of each name that has no value although a source has it. */
  readonly refused: ReadonlyMap<string, SecretsError>;
  /** The current problem of each name, including names that have a value. */
  readonly problems: ReadonlyMap<string, Problem>;
}

/** The names of a store: the declared names or, if nothing is declared, the names that discovery finds. */
export interface Catalog {
  /** Definitions by name. Discovery adds and removes them. */
  readonly definitions: Map<string, Definition<unknown>>;
  readonly discovery: Discovery | undefined;
}

/** The state of discovery. */
export interface Discovery {
  /** Names that the application has read. They count as required. */
  readonly asked: Set<string>;
  /** Names that were present when the store opened, which excludes the temporary files of a writer. */
  openedWith: ReadonlySet<string>;
}

/** The results of a refresh, before the next generation is decided. */
export interface Findings {
  readonly views: ReadonlyMap<SourceReader, SourceView>;
  readonly readings: ReadonlyMap<SourceReader, SourceReading>;
  readonly resolutions: ReadonlyMap<string, Resolution>;
  /** Listed names that are not valid names of secrets. */
  readonly impossible: ReadonlyMap<string, Problem>;
}

/** The outcome of a refresh: the next generation, and the work that remains. */
export interface Step {
  readonly generation: Generation;
  readonly changes: readonly SecretChange[];
  /** Sources whose answers were not all used. The next refresh reads them in full. */
  readonly incomplete: ReadonlySet<SourceReader>;
  /** Sources to read again at once, because they hold the value of a name that still has none. */
  readonly awaited: ReadonlySet<SourceReader>;
  /** Sources to read again soon, because a name vanished while other values changed. */
  readonly unconfirmed: ReadonlySet<SourceReader>;
  /** The problem of each name, or `undefined` for none. Names that this refresh says nothing about are absent. */
  readonly problems: ReadonlyMap<string, Problem | undefined>;
  /** Discovered names that no source has anymore. */
  readonly forgotten: readonly string[];
}

const NOTHING_SEEN: SourceView = {
  answers: new Map(),
  lookUp: undefined,
  failure: undefined,
  lacking: new Set(),
};

/** The state before the first refresh. */
export function emptyGeneration(readers: readonly SourceReader[]): Generation {
  return {
    number: 0,
    madeAt: new Date(),
    entries: new Map(),
    views: new Map(readers.map((reader) => [reader, NOTHING_SEEN])),
    refused: new Map(),
    problems: new Map(),
  };
}

/** Returns the views of all sources, updated with the readings of this refresh. */
export function nextViews(
  views: Generation['views'],
  readings: ReadonlyMap<SourceReader, SourceReading>,
): Map<SourceReader, SourceView> {
  return new Map(
    [...views].map(([reader, before]) => {
      const reading = readings.get(reader);
      if (reading === undefined) return [reader, before];
      const { answers, lookUp, failure } = reading;
      if (answers === undefined) return [reader, { ...before, failure }];
      const statuses = [...answers].map(([name, answer]): [string, ViewedAnswer] => {
        const { status } = answer;
        if (answer.status === 'missing') return [name, { status, looked: answer.looked }];
        return [name, { status, blank: answer.status === 'found' && isBlank(answer.bytes) }];
      });
      return [reader, { answers: new Map(statuses), lookUp, failure, lacking: before.lacking }];
    }),
  );
}

/** Adds the undeclared names that sources list. Returns a problem for each name that is not a valid name of a secret. */
export function discover(
  { definitions, discovery }: Catalog,
  readings: ReadonlyMap<SourceReader, SourceReading>,
): Map<string, Problem> {
  const refused = new Map<string, Problem>();
  if (discovery === undefined) return refused;
  for (const [source, { answers }] of readings) {
    for (const name of answers?.keys() ?? []) {
      if (definitions.has(name)) continue;
      try {
        definitions.set(name, discovered(name));
      } catch (error) {
        if (!isSecretsError(error)) throw error;
        refused.set(name, { error, source, kind: 'invalid', cause: error.message });
      }
    }
  }
  return refused;
}

/**
 * Decides the next generation. If one value of a source cannot be used, the whole source is held back: no generation mixes
 * its old values with its new values. Other sources are not affected.
 */
export function nextGeneration(
  current: Generation,
  catalog: Catalog,
  { views, readings, resolutions, impossible }: Findings,
  now: Date,
): Step {
  const draft = new Draft(current, catalog, readings, resolutions);
  for (const reader of views.keys()) draft.judge(reader);
  for (const name of resolutions.keys()) draft.apply(name);
  draft.refuseImpossible(impossible, views);
  const { entries, refused, changes, incomplete, problems, forgotten } = draft;

  const viewOf = (reader: SourceReader, view: SourceView): SourceView => {
    if (readings.get(reader)?.answers === undefined) return view;
    // A source that is held back still serves its last picture, so names found on demand must come from that picture.
    const { lookUp } = draft.isHeld(reader) ? (current.views.get(reader) as SourceView) : view;
    return { ...view, lookUp, lacking: draft.lacking(reader) };
  };
  return {
    generation: {
      number: current.number + (changes.length > 0 ? 1 : 0),
      madeAt: changes.length > 0 ? now : current.madeAt,
      entries: draft.touched ? entries : current.entries,
      views: new Map([...views].map(([reader, view]) => [reader, viewOf(reader, view)])),
      refused,
      problems: draft.problemsNow(),
    },
    changes,
    awaited: draft.awaited,
    unconfirmed: draft.unconfirmed,
    incomplete,
    problems,
    forgotten,
  };
}

/** The next generation, under construction. */
class Draft {
  readonly entries: Map<string, Entry>;
  readonly refused: Map<string, SecretsError>;
  readonly changes: SecretChange[] = [];
  readonly problems = new Map<string, Problem | undefined>();
  readonly forgotten: string[] = [];
  /** Sources held back: the names that they serve keep their values, and no name moves up to them. */
  readonly #held = new Set<SourceReader>();
  /** Sources that no name moves up to, because they have a name that cannot be used. */
  readonly #closedAbove = new Set<SourceReader>();
  readonly #lacking = new Map<SourceReader, Set<string>>();
  readonly #current: Generation;
  readonly #catalog: Catalog;
  readonly #readings: ReadonlyMap<SourceReader, SourceReading>;
  readonly #resolutions: ReadonlyMap<string, Resolution>;
  touched = false;

  constructor(
    current: Generation,
    catalog: Catalog,
    readings: ReadonlyMap<SourceReader, SourceReading>,
    resolutions: ReadonlyMap<string, Resolution>,
  ) {
    this.#current = current;
    this.#catalog = catalog;
    this.#readings = readings;
    this.#resolutions = resolutions;
    this.entries = new Map(current.entries);
    this.refused = new Map(current.refused);
  }

  /** Sources held back in whole or in part, and sources with a failure that may end without a new revision. */
  get incomplete(): ReadonlySet<SourceReader> {
    const failing = [...this.problems.values()].flatMap((problem) =>
      problem?.kind === 'failed' ||
      problem?.kind === 'early' ||
      (problem?.kind === 'invalid' && this.#catalog.discovery === undefined)
        ? [problem.source]
        : [],
    );
    return new Set([...this.#held, ...this.#closedAbove, ...failing, ...this.awaited, ...this.#passedOver()]);
  }

  /** Sources that this refresh did not read, although they hold the value of a name that still has none. */
  get awaited(): ReadonlySet<SourceReader> {
    const sources = new Set<SourceReader>();
    for (const [name, { here }] of this.#resolutions) {
      if (here.kind === 'unseen' && !this.#current.entries.has(name)) sources.add(here.source);
    }
    return sources;
  }

  get unconfirmed(): ReadonlySet<SourceReader> {
    return new Set(this.#lacking.keys());
  }

  /** Sources with a value that was not used, because a source of higher precedence may have it and did not answer. */
  #passedOver(): SourceReader[] {
    const wanted = [...this.#resolutions].flatMap(([name, { here }]) => {
      if (here.kind !== 'problem' || here.problem.kind !== 'read') return [];
      return this.#catalog.definitions.get(name)?.lookups ?? [];
    });
    if (wanted.length === 0) return [];
    return [...this.#readings].flatMap(([reader, { answers }]) =>
      wanted.some((lookup) => answers?.get(lookup.name)?.status === 'found') ? [reader] : [],
    );
  }

  problemsNow(): ReadonlyMap<string, Problem> {
    const now = new Map(this.#current.problems);
    for (const [name, problem] of this.problems) {
      if (problem === undefined) now.delete(name);
      else now.set(name, problem);
    }
    return now;
  }

  isHeld(reader: SourceReader): boolean {
    return this.#held.has(reader);
  }

  lacking(reader: SourceReader): ReadonlySet<string> {
    return this.#lacking.get(reader) ?? new Set();
  }

  /** Decides whether to hold a source back. Call it in order of precedence, because names may move up from lower sources. */
  judge(reader: SourceReader): void {
    if (this.#readings.get(reader)?.answers === undefined) return;
    for (const [name, { here, above }] of this.#resolutions) {
      for (const finding of above) {
        if (finding.kind !== 'problem' || finding.problem.source !== reader) continue;
        if (finding.problem.kind !== 'early') this.#closedAbove.add(reader);
      }
      const entry = this.#current.entries.get(name);
      if (entry?.source !== reader || here.kind !== 'problem') continue;
      if (this.#movesTo(name) === undefined && this.#holdsBack(name, here.problem)) this.#held.add(reader);
    }
  }

  /** Applies the result of the refresh for one name, unless its source is held back. */
  apply(name: string): void {
    const { here, above } = this.#resolutions.get(name) as Resolution;
    const moved = this.#movesTo(name);
    const stays = here.kind === 'value' && !this.#held.has(here.entry.source) ? here.entry : undefined;
    this.#note(name, moved, here, above);
    if (moved !== undefined || stays !== undefined) {
      this.#set(name, (moved ?? stays) as Entry);
    } else if (here.kind === 'problem' && !this.#held.has(here.problem.source)) {
      this.#refuse(name, here.problem);
    } else if (here.kind === 'absent') {
      this.#forget(name);
    }
  }

  /** Reports listed names that are not valid names of secrets, until they disappear. */
  refuseImpossible(impossible: Findings['impossible'], views: Findings['views']): void {
    for (const name of this.#current.refused.keys()) {
      if (this.#resolutions.has(name) || [...views.values()].some(({ answers }) => answers.has(name)))
        continue;
      this.refused.delete(name);
      this.problems.set(name, undefined);
    }
    for (const [name, problem] of impossible) {
      this.refused.set(name, problem.error);
      this.problems.set(name, problem);
    }
  }

  /** Returns the entry that the name moves up to: the first usable one of higher precedence than its current source. */
  #movesTo(name: string): Entry | undefined {
    for (const finding of this.#resolutions.get(name)?.above ?? []) {
      if (finding.kind !== 'value') continue;
      const { source } = finding.entry;
      if (!this.#held.has(source) && !this.#closedAbove.has(source)) return finding.entry;
    }
    return undefined;
  }

  #holdsBack(name: string, { kind, source }: Problem): boolean {
    const { discovery, definitions } = this.#catalog;
    // Its date says when it follows. Until then, the other values must not wait for it.
    if (kind === 'early') return false;
    // A declared optional secret may vanish: its source is complete without it.
    if (discovery === undefined) return kind !== 'vanished' || definitions.get(name)?.required === true;
    if (discovery.asked.has(name) || kind === 'failed') return true;
    // The application never read the name, so it is dropped. If other values changed too, wait: a pair may be half written.
    if (kind !== 'vanished' || !discovery.openedWith.has(name) || !this.#changesValues(source)) return false;
    if (this.#current.views.get(source)?.lacking.has(name)) return false;
    this.#lacking.set(source, (this.#lacking.get(source) ?? new Set()).add(name));
    return true;
  }

  #changesValues(source: SourceReader): boolean {
    for (const [name, { here }] of this.#resolutions) {
      const before = this.#current.entries.get(name);
      if (before?.source !== source || here.kind !== 'value') continue;
      if (here.entry.digest !== before.digest) return true;
    }
    return false;
  }

  #set(name: string, entry: Entry): void {
    const before = this.#current.entries.get(name);
    this.touched = true;
    this.refused.delete(name);
    this.entries.set(name, entry);
    if (before?.digest === entry.digest) return;
    const { source, version } = entry.secret;
    const kind = before === undefined ? 'added' : 'rotated';
    this.changes.push({ name, kind, source, version, previousVersion: before?.secret.version });
  }

  /** Applies a problem that does not hold the source back. */
  #refuse(name: string, { kind, error }: Problem): void {
    const before = this.#current.entries.get(name);
    if (kind === 'read') return;
    // A declared optional secret keeps its last value, and so does every secret whose next value is not valid yet.
    if (before !== undefined && (this.#catalog.discovery === undefined || kind === 'early')) return;
    if (before !== undefined) {
      this.touched = true;
      this.entries.delete(name);
      const { source, version } = before.secret;
      this.changes.push({ name, kind: 'removed', source, version: undefined, previousVersion: version });
    }
    if (kind === 'vanished') this.#forget(name);
    else this.refused.set(name, error);
  }

  /** Forgets a discovered name that no source has and the application never read. */
  #forget(name: string): void {
    this.refused.delete(name);
    const { discovery } = this.#catalog;
    if (discovery === undefined || discovery.asked.has(name)) return;
    this.problems.set(name, undefined);
    this.forgotten.push(name);
  }

  /** Records the problem of a name, or that it has none. Records nothing if this refresh did not read its source. */
  #note(name: string, moved: Entry | undefined, here: Finding, above: readonly Finding[]): void {
    if (moved === undefined && here.kind === 'problem') {
      if (here.problem.kind !== 'read') this.problems.set(name, here.problem);
      return;
    }
    const better = moved === undefined ? above : above.filter((finding) => isAbove(finding, moved.source));
    const trouble = better.findLast((finding) => finding.kind === 'problem');
    if (trouble?.kind === 'problem') this.problems.set(name, trouble.problem);
    else if (
      better.some(({ kind }) => kind === 'unseen') ||
      (moved === undefined && here.kind === 'unseen')
    ) {
      // Some sources were not read. If the source of the earlier problem was read, that problem is over.
      const source = this.#current.problems.get(name)?.source;
      if (source !== undefined && this.#readings.get(source)?.answers !== undefined) {
        this.problems.set(name, undefined);
      }
    } else this.problems.set(name, undefined);
  }
}

function isAbove(finding: Finding, source: SourceReader): boolean {
  if (finding.kind === 'value') return finding.entry.source.rank < source.rank;
  if (finding.kind === 'problem') return finding.problem.source.rank < source.rank;
  return finding.kind === 'unseen' && finding.source.rank < source.rank;
}
