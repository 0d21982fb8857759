import { createHash, createPrivateKey } from 'node:crypto';
import { seededRandom } from '../../support/seeded-random';

/** A secret value whose traces can be recognized in any text. */
export interface Mark {
  readonly label: string;
  /** What a source stores. */
  readonly value: string;
  /** The part that identifies the value; 12 bytes or more. */
  readonly core: Buffer;
  /** What a hash may be computed of. */
  readonly hashed: readonly (string | Buffer)[];
}

export interface Leak {
  readonly label: string;
  readonly form: string;
}

interface Needle extends Leak {
  readonly text: string;
  /** True if the needle is in lower case and the text may not be. */
  readonly anyCase: boolean;
}

const ALPHABET = 'ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789';
const CORE_LENGTH = 15;
const random = seededRandom(20_261_127);
const letters = (length: number) =>
  Array.from({ length }, () => ALPHABET[Math.floor(random() * ALPHABET.length)]).join('');

/** A text that begins with its core. `around` adds characters that encoders escape. */
export function textMark(label: string, around: (core: string) => string = (core) => core): Mark {
  const core = letters(CORE_LENGTH);
  const value = around(core);
  return { label, value, core: Buffer.from(core), hashed: [value, `${value}\n`, core] };
}

/** Binary bytes. `value` has them as latin1. */
export function bytesMark(label: string): Mark {
  const core = Buffer.from(Array.from({ length: 24 }, () => 128 + Math.floor(random() * 128)));
  return { label, value: core.toString('latin1'), core, hashed: [core, core.toString('base64')] };
}

/** A private key of P-256: its scalar identifies it. The certificate has everything else. */
export function keyMark(label: string, pem: string): Mark {
  const key = createPrivateKey(pem);
  const core = Buffer.from(key.export({ format: 'jwk' }).d as string, 'base64url');
  const der = key.export({ format: 'der', type: 'pkcs8' });
  return { label, value: pem, core, hashed: [pem, pem.trim(), der, core] };
}

const isText = (core: Buffer) => core.every((byte) => byte < 128);
const spread = (core: Buffer, of: (byte: number) => string, between = '') => [...core].map(of).join(between);
const hex = (byte: number) => byte.toString(16).padStart(2, '0');

/** The characters of base64 that depend on the core alone, wherever it begins. */
function base64Parts(core: Buffer): string[] {
  return [0, 1, 2].map((before) => {
    const whole = Buffer.concat([Buffer.alloc(before), core]).toString('base64');
    // The first group that has no byte of what comes before.
    return whole.slice(before === 0 ? 0 : 4, (before === 0 ? 0 : 4) + 10);
  });
}

/** Parts of six characters: a parser quotes the beginning of what it refuses, or what is around a fault. */
function pieces(text: string): string[] {
  const found: string[] = [];
  for (let start = 0; start + 6 <= text.length; start += 3) found.push(text.slice(start, start + 6));
  return found;
}

type Form = (mark: Mark) => readonly string[];

const asText =
  (form: (text: string, mark: Mark) => readonly string[]): Form =>
  (mark) =>
    isText(mark.core) ? form(mark.core.toString(), mark) : [];

const hashForm =
  (algorithm: string): Form =>
  ({ hashed }) =>
    hashed.flatMap((one) => {
      const digest = createHash(algorithm).update(one).digest();
      return [digest.toString('hex').slice(0, 12), digest.toString('base64').slice(0, 12)];
    });

const HASHES = ['md5', 'sha1', 'sha256', 'sha512'];

/** What each form of a value looks like: parts that suffice to recognize it. */
const FORMS: Readonly<Record<string, Form>> = {
  raw: ({ core, value }) =>
    isText(core) ? pieces(core.toString()) : [core.toString('latin1'), core.toString(), value],
  base64: ({ core }) => base64Parts(core),
  base64url: ({ core }) => base64Parts(core).map((part) => part.replaceAll('+', '-').replaceAll('/', '_')),
  'in a URL': ({ value }) => [encodeURIComponent(value)],
  'in a URL, every byte': ({ core }) => [spread(core, (byte) => `%${hex(byte)}`)],
  'in JSON': ({ value }) => [JSON.stringify(value).slice(1, -1)],
  'with \\u escapes': ({ core }) => [spread(core, (byte) => `\\u00${hex(byte)}`)],
  'with \\x escapes': ({ core }) => [spread(core, (byte) => `\\x${hex(byte)}`)],
  hex: ({ core }) => [spread(core, hex)],
  'hex with spaces': ({ core }) => [spread(core, hex, ' ')],
  'hex with colons': ({ core }) => [spread(core, hex, ':')],
  'hex with 0x': ({ core }) => [spread(core, (byte) => `0x${hex(byte)}`, ', ')],
  'a list of bytes': ({ core }) => [spread(core, String, ','), spread(core, String, ', ')],
  'an object of bytes': ({ core }) => [
    [...core]
      .slice(1)
      .map((byte, at) => `"${at + 1}":${byte}`)
      .join(','),
  ],
  'a preview of bytes': ({ core }) => [
    [...core.subarray(0, 6)]
      .map((byte, at) => JSON.stringify({ name: `${at}`, type: 'number', value: `${byte}` }))
      .join(','),
  ],
  'UTF-16': asText((core) => [core.split('').join('\0'), core.split('').join('\\x00')]),
  reversed: asText((core) => pieces(core.split('').reverse().join(''))),
  ...Object.fromEntries(HASHES.map((algorithm) => [algorithm, hashForm(algorithm)])),
};
export const formNames = Object.keys(FORMS);

/** A whole value in a form, to plant it. */
const WHOLE: Readonly<Record<string, (mark: Mark) => string>> = {
  raw: ({ core }) => core.toString('latin1'),
  base64: ({ core }) => Buffer.concat([Buffer.from('{"'), core, Buffer.from('"}')]).toString('base64'),
  base64url: ({ core }) => Buffer.concat([Buffer.from('a'), core, Buffer.from('!')]).toString('base64url'),
  'in a URL, every byte': ({ core }) => spread(core, (byte) => `%${hex(byte).toUpperCase()}`),
  hex: ({ core }) => core.toString('hex').toUpperCase(),
};

/** Needles by their first three characters, to search for all of them in one pass. */
class Index {
  readonly #byStart = new Map<number, Needle[]>();
  readonly #starts = new Uint8Array(1 << 16);

  constructor(needles: readonly Needle[]) {
    for (const needle of needles) {
      const start = startOf(needle.text, 0);
      this.#starts[start] = 1;
      this.#byStart.set(start, [...(this.#byStart.get(start) ?? []), needle]);
    }
  }

  *find(text: string): Iterable<Needle> {
    for (let at = 0; at + 3 <= text.length; at += 1) {
      const start = startOf(text, at);
      if (this.#starts[start] === 0) continue;
      for (const needle of this.#byStart.get(start) as Needle[])
        if (text.startsWith(needle.text, at)) yield needle;
    }
  }
}

function startOf(text: string, at: number): number {
  return (text.charCodeAt(at) * 961 + text.charCodeAt(at + 1) * 31 + text.charCodeAt(at + 2)) & 0xffff;
}

/** Finds marked values in texts. */
export class Finder {
  readonly #exact: Index;
  readonly #anyCase: Index;

  constructor(readonly marks: readonly Mark[]) {
    const needles = marks.flatMap((mark) =>
      Object.entries(FORMS).flatMap(([form, parts]) =>
        [...new Set(parts(mark).map((part) => part.replace(/\s+/g, ' ')))].map((text) => {
          const anyCase = /hex|escapes|every byte/.test(form) || HASHES.includes(form);
          return { label: mark.label, form, text, anyCase: anyCase && text === text.toLowerCase() };
        }),
      ),
    );
    this.#exact = new Index(needles.filter(({ anyCase }) => !anyCase));
    this.#anyCase = new Index(needles.filter(({ anyCase }) => anyCase));
  }

  /** The values in the text, each once. */
  find(output: string): Leak[] {
    // `inspect` breaks lists of bytes into lines, and aligns them.
    const text = output.replace(/\s+/g, ' ');
    const found = new Map<string, Leak>();
    for (const { label, form } of [...this.#exact.find(text), ...this.#anyCase.find(text.toLowerCase())])
      found.set(`${label} ${form}`, { label, form });
    return [...found.values()];
  }

  /** Returns each value in each form, with other text around it. */
  planted(): { readonly leak: Leak; readonly text: string }[] {
    return this.marks.flatMap((mark) =>
      formNames.flatMap((form) => {
        const [part] = (FORMS[form] as Form)(mark);
        if (part === undefined) return [];
        const whole = WHOLE[form]?.(mark) ?? part;
        return [{ leak: { label: mark.label, form }, text: `before ${whole} after` }];
      }),
    );
  }
}
