/** The first fault of a text, and where it is. */
interface Fault {
  readonly kind: string;
  readonly offset: number;
  readonly next?: string | undefined;
}

const MAX_DEPTH = 1000;

/** Reads a text as JSON until the first fault. The message of `JSON.parse` differs between versions of Node, and has the text. */
export class JsonReader {
  readonly #text: string;
  #at = 0;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
  }

  fault(): Fault {
    return this.#value() ?? this.#end() ?? { kind: 'it cannot be parsed', offset: 0 };
  }

  #blanks(): void {
    while (' \t\r\n'.includes(this.#text[this.#at] ?? '.')) this.#at += 1;
  }

  #fails(kind: string, next?: string, offset = this.#at): Fault {
    return { kind, next, offset };
  }

  #end(): Fault | undefined {
    this.#blanks();
    if (this.#at >= this.#text.length) return undefined;
    return this.#fails('there is text after its end', 'Store one JSON value. Commas or a list join several.');
  }

  #value(): Fault | undefined {
    this.#blanks();
    const first = this.#text[this.#at];
    if (first === undefined) return this.#cutOff();
    if (first === '"') return this.#string();
    if (first === '{' || first === '[') {
      this.#depth += 1;
      if (this.#depth > MAX_DEPTH) return this.#fails('it is nested too deeply');
      const fault = this.#list(first === '{');
      this.#depth -= 1;
      return fault;
    }
    if (/[-+.\d]/.test(first)) return this.#number();
    return this.#word(first);
  }

  #cutOff(): Fault {
    return this.#fails(
      'it ends too early',
      'It was cut off: store the whole text, and check limits of its length.',
      this.#text.length,
    );
  }

  #list(isObject: boolean): Fault | undefined {
    const close = isObject ? '}' : ']';
    this.#at += 1;
    this.#blanks();
    if (this.#text[this.#at] === close) {
      this.#at += 1;
      return undefined;
    }
    for (;;) {
      const fault = (isObject ? this.#key() : undefined) ?? this.#value();
      if (fault !== undefined) return fault;
      this.#blanks();
      const next = this.#text[this.#at];
      if (next === undefined) return this.#cutOff();
      if (next === close) {
        this.#at += 1;
        return undefined;
      }
      if (next !== ',') return this.#between(isObject);
      const comma = this.#at;
      this.#at += 1;
      this.#blanks();
      if (this.#text[this.#at] === close)
        return this.#fails('there is a comma after the last entry', 'Remove it.', comma);
    }
  }

  #between(isObject: boolean): Fault {
    if (/^(\/\/|\/\*|#)/.test(this.#text.slice(this.#at, this.#at + 2))) return this.#comment();
    return this.#fails(`a comma or "${isObject ? '}' : ']'}" is missing`);
  }

  #comment(): Fault {
    return this.#fails('there is a comment', 'JSON has no comments: remove it.');
  }

  #key(): Fault | undefined {
    this.#blanks();
    const first = this.#text[this.#at];
    if (first === undefined) return this.#cutOff();
    if (first !== '"') {
      if (first === "'") return this.#singleQuotes();
      if (/^(\/\/|\/\*|#)/.test(this.#text.slice(this.#at, this.#at + 2))) return this.#comment();
      return this.#fails('a name is not in double quotes', 'Write names of properties in double quotes.');
    }
    const fault = this.#string();
    if (fault !== undefined) return fault;
    this.#blanks();
    if (this.#at >= this.#text.length) return this.#cutOff();
    if (this.#text[this.#at] !== ':') return this.#fails('a colon is missing after a name');
    this.#at += 1;
    return undefined;
  }

  #singleQuotes(): Fault {
    return this.#fails('a text is in single quotes', 'Write texts in double quotes.');
  }

  #string(): Fault | undefined {
    this.#at += 1;
    for (;;) {
      const char = this.#text[this.#at];
      if (char === undefined) return this.#cutOff();
      if (char === '"') {
        this.#at += 1;
        return undefined;
      }
      if (char < ' ') return this.#control(char);
      if (char === '\\') {
        const written = /^\\(["\\/bfnrt]|u[0-9a-fA-F]{4})/.exec(this.#text.slice(this.#at, this.#at + 6));
        if (written === null) {
          if (this.#at + 1 >= this.#text.length) return this.#cutOff();
          return this.#fails('a text has an unknown escape', 'Write a backslash as \\\\.');
        }
        this.#at += written[0].length;
      } else this.#at += 1;
    }
  }

  #control(char: string): Fault {
    if (char === '\n' || char === '\r') {
      return this.#fails(
        'a text has a line break',
        'Write it as \\n. A shell or a file of variables may have expanded it.',
      );
    }
    return this.#fails(
      char === '\t' ? 'a text has a tab' : 'a text has a control character',
      'Write it as an escape.',
    );
  }

  #number(): Fault | undefined {
    const start = this.#at;
    const written = /^[-+.\w]+/.exec(this.#text.slice(start, start + 400))?.[0] ?? '';
    this.#at += written.length;
    if (/^-?(0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?$/.test(written)) return undefined;
    return this.#fails(
      'a number is not written as in JSON',
      'Write text in double quotes, and numbers in decimal.',
      start,
    );
  }

  #word(first: string): Fault | undefined {
    const start = this.#at;
    if (first === "'") return this.#singleQuotes();
    if (/^(\/\/|\/\*|#)/.test(this.#text.slice(start, start + 2))) return this.#comment();
    const word = /^\w+/.exec(this.#text.slice(start, start + 40))?.[0] ?? '';
    this.#at += word.length;
    if (word === 'true' || word === 'false' || word === 'null') return undefined;
    if (this.#at >= this.#text.length && this.#depth > 0) return this.#cutOff();
    if (/^(True|False|None|undefined|NaN|Infinity|nil|yes|no)$/.test(word)) {
      return this.#fails('a value is a word of another language', 'JSON has true, false and null.', start);
    }
    return this.#fails(
      this.#depth === 0 ? 'it does not begin like JSON' : 'a value is not in double quotes',
      undefined,
      start,
    );
  }
}
