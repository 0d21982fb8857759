import type { LineCounter, Node, Pair, Scalar } from 'yaml';

type Yaml = typeof import('yaml');

/** The module is loaded when the first manifest is read: no service needs it. */
let yaml: Yaml | undefined;

export async function loadYaml(): Promise<void> {
  yaml ??= await import('yaml');
}

/** A value of a manifest, with its place. A missing field has the place of the map that lacks it. */
export class Field {
  constructor(
    readonly file: string,
    readonly line: number,
    /** A string, number, boolean or `null`; `undefined` if it is missing, a map or a list. */
    readonly value?: unknown,
    readonly fields: ReadonlyMap<string, Field> = new Map(),
    readonly items: readonly Field[] = [],
    /** The line on which the text begins, if its lines are lines of the file. */
    readonly textLine?: number,
  ) {}

  get(...path: readonly string[]): Field {
    let field: Field = this;
    for (const name of path) field = field.fields.get(name) ?? new Field(this.file, field.line);
    return field;
  }

  /** The text; empty if it is anything else. */
  get text(): string {
    return typeof this.value === 'string' ? this.value : '';
  }

  get exists(): boolean {
    return (this.value ?? undefined) !== undefined || this.fields.size > 0 || this.items.length > 0;
  }

  get isTrue(): boolean {
    return this.value === true || this.value === 'true';
  }

  /** The YAML documents in the text, with the lines of the file. */
  documents(): Parsed {
    return parse(this.file, this.text, {
      first: this.textLine ?? this.line,
      isOneLine: this.textLine === undefined,
    });
  }
}

/** Where a text is in its file: on one line if it is quoted. */
interface TextPlace {
  readonly first: number;
  readonly isOneLine?: boolean;
}

export interface Parsed {
  readonly documents: readonly Field[];
  /** Whether a map is the key of another, as in `{{ .Values.name }}` without quotes. */
  readonly hasBraces?: boolean | undefined;
  /** The first error: its code, since messages of the parser may quote the file. */
  readonly error?: { readonly line: number; readonly reason: string } | undefined;
}

/** Reads YAML, or JSON, as Kubernetes does: with the numbers (`0400`) and merge keys of YAML 1.1. */
export function parse(file: string, text: string, place: TextPlace = { first: 1 }): Parsed {
  const { parseAllDocuments, LineCounter } = yaml as Yaml;
  const lineCounter = new LineCounter();
  try {
    const options = { version: '1.1', lineCounter, prettyErrors: false, logLevel: 'silent' } as const;
    const parsed = parseAllDocuments(text, options);
    if (!Array.isArray(parsed)) return { documents: [] };
    const [error] = parsed.flatMap(({ errors }) => errors);
    if (error !== undefined) {
      const line = lineIn(place, lineCounter.linePos(error.pos[0]).line);
      return { documents: [], error: { line, reason: error.code } };
    }
    const reader = new Reader(file, lineCounter, place);
    const documents = parsed.map(({ contents }) => reader.field(contents));
    return { documents, hasBraces: reader.hasBraces };
  } catch (error) {
    return { documents: [], error: { line: place.first, reason: (error as Error).name } };
  }
}

function lineIn({ first, isOneLine }: TextPlace, line: number): number {
  return isOneLine ? first : first + line - 1;
}

class Reader {
  hasBraces = false;
  readonly #file: string;
  readonly #lines: LineCounter;
  readonly #place: TextPlace;
  readonly #anchors = new Map<string, Field>();

  constructor(file: string, lines: LineCounter, place: TextPlace) {
    this.#file = file;
    this.#lines = lines;
    this.#place = place;
  }

  field(node: unknown, line = this.#lineAt(node)): Field {
    const { isAlias, isMap, isSeq, isScalar } = yaml as Yaml;
    const file = this.#file;
    if (isAlias(node)) return this.#anchors.get(node.source) ?? new Field(file, line);
    let field = new Field(file, line);
    if (isMap(node)) field = new Field(file, line, undefined, this.#fieldsOf(node.items));
    else if (isSeq(node)) {
      const items = node.items.map((one) => this.field(one));
      field = new Field(file, line, undefined, undefined, items);
    } else if (isScalar(node)) field = this.#scalar(node, line);
    const { anchor } = (node ?? {}) as { readonly anchor?: string };
    if (anchor !== undefined) this.#anchors.set(anchor, field);
    return field;
  }

  #scalar({ value, source, type, range }: Scalar, line: number): Field {
    // Dates and binary of YAML 1.1 are texts for Kubernetes.
    const plain = typeof value === 'object' && value !== null ? (source ?? '') : value;
    // A text that is written as `|` has the lines of the file, from the line after its header.
    const isLines = type === 'BLOCK_LITERAL' && !this.#place.isOneLine;
    const header = isLines && range ? this.#lines.linePos(range[0]).line : undefined;
    const textLine = header === undefined ? undefined : lineIn(this.#place, header + 1);
    return new Field(this.#file, line, plain, undefined, undefined, textLine);
  }

  #fieldsOf(pairs: readonly Pair[]): Map<string, Field> {
    const { isScalar, isSeq } = yaml as Yaml;
    const fields = new Map<string, Field>();
    for (const { key, value } of pairs) {
      if (!isScalar(key)) this.hasBraces = true;
      const name = isScalar(key) ? String(key.source ?? key.value) : '';
      if (name !== '<<') {
        fields.set(name, this.field(value, this.#lineAt(key)));
        continue;
      }
      for (const merged of isSeq(value) ? value.items : [value]) {
        for (const [inner, field] of this.field(merged).fields)
          if (!fields.has(inner)) fields.set(inner, field);
      }
    }
    return fields;
  }

  #lineAt(node: unknown): number {
    const at = (node as Node | null | undefined)?.range?.[0] ?? 0;
    return lineIn(this.#place, this.#lines.linePos(at).line || 1);
  }
}
