import { console as inspected, Session } from 'node:inspector';
import { format, inspect } from 'node:util';
import { serialize } from 'node:v8';

/** One text that the package puts out. */
export interface Output {
  readonly name: string;
  readonly text: string;
}

/** The ways in which a program prints or copies a value, on purpose or by mistake. */
export const WAYS: Readonly<Record<string, (value: unknown) => string>> = {
  inspect: (value) => inspect(value, { depth: 20 }),
  'inspect showHidden': (value) => inspect(value, { showHidden: true, depth: 8 }),
  'inspect getters': (value) => inspect(value, { getters: true, depth: 8 }),
  'inspect customInspect: false': (value) => inspect(value, { customInspect: false, depth: 8 }),
  'format %o': (value) => format('%o', value),
  'format %O %s %j': (value) => format('%O %s %j', value, value, value),
  'JSON.stringify': (value) => JSON.stringify(value) ?? '',
  String: (value) => String(value),
  'template literal': (value) => `${value as string}`,
  structuredClone: (value) => inspect(structuredClone(value), { depth: 20 }),
  'v8.serialize': (value) => serialize(value).toString('latin1'),
  'Object.entries': (value) => inspect(Object.entries(value as object), { depth: 8 }),
  'every property': (value) => walk(value),
};

/** These read accessors. Those of a client of `pg` return the password, because `pg` itself reads it there. */
const READING_ACCESSORS = ['inspect getters', 'every property'];

const MAX_DEPTH = 8;
const MAX_OBJECTS = 20_000;

/** Reads every property that can be reached, hidden and inherited ones too. Functions are not called; getters are. */
function walk(root: unknown): string {
  const seen = new Set<unknown>();
  const texts: string[] = [];
  const visit = (value: unknown, depth: number): void => {
    if (typeof value === 'string' || typeof value === 'symbol') texts.push(String(value));
    if (typeof value !== 'object' && typeof value !== 'function') return;
    if (value === null || value === globalThis || seen.has(value)) return;
    if (depth > MAX_DEPTH || seen.size > MAX_OBJECTS) return;
    seen.add(value);
    if (ArrayBuffer.isView(value)) {
      texts.push(Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('hex'));
      return;
    }
    if (value instanceof Map || value instanceof Set) for (const item of value) visit(item, depth + 1);
    for (const key of Reflect.ownKeys(value)) {
      texts.push(String(key));
      try {
        visit(Reflect.get(value, key), depth + 1);
      } catch (error) {
        visit(error, depth + 1);
      }
    }
    const prototype = Object.getPrototypeOf(value);
    if (prototype === null || prototype === Object.prototype || prototype === Function.prototype) return;
    for (const [key, { get }] of Object.entries(Object.getOwnPropertyDescriptors(prototype))) {
      if (get === undefined) continue;
      try {
        visit(Reflect.get(value, key), depth + 1);
      } catch (error) {
        visit(error, depth + 1);
      }
    }
  };
  visit(root, 0);
  return texts.join('\n');
}

/** Collects what the package puts out. */
export class Outputs {
  readonly all: Output[] = [];
  readonly #session = new Session();
  readonly #write = process.stderr.write;
  #scene = '';

  /** Also collects what this process writes to stderr from now on, until `stop`. */
  constructor() {
    this.#session.connect();
    this.#session.on('Runtime.consoleAPICalled', ({ params }) =>
      this.text('preview of the inspector', JSON.stringify(params.args)),
    );
    this.#session.post('Runtime.enable');
    process.stderr.write = ((chunk: string | Uint8Array, ...rest: unknown[]) => {
      this.text('stderr', Buffer.from(chunk as string).toString());
      for (const one of rest) if (typeof one === 'function') one();
      return true;
    }) as typeof process.stderr.write;
  }

  stop(): void {
    process.stderr.write = this.#write;
    this.#session.disconnect();
  }

  /** Later outputs belong to this scene. */
  scene(name: string): void {
    this.#scene = name;
  }

  text(name: string, text: string): void {
    this.all.push({ name: `${this.#scene}: ${name}`, text });
  }

  /** Like `show`, for an object of a client library, whose accessors return what the library needs. */
  showClient(name: string, client: unknown): void {
    this.show(name, client, READING_ACCESSORS);
  }

  /** Prints and copies the value in every way. What such a way throws is an output too. */
  show(name: string, value: unknown, except: readonly string[] = []): void {
    for (const [way, print] of Object.entries(WAYS)) {
      if (except.includes(way)) continue;
      try {
        this.text(`${name}, ${way}`, print(value));
      } catch (error) {
        this.text(`${name}, error of ${way}`, inspect(error, { showHidden: true, depth: 8 }));
      }
    }
    inspected.log(value);
  }

  /** An error with its message, stack and causes. */
  error(name: string, error: unknown): void {
    this.show(name, error);
    for (let cause = error, depth = 0; cause instanceof Error && depth < 8; cause = cause.cause, depth += 1)
      this.text(`${name}, message, stack and code`, [cause.message, cause.stack, String(cause)].join('\n'));
  }
}
