import type { Definition } from '../definitions/definition';
import { builtin } from '../internal/builtins';
import { type Secret, unseal } from '../secret/secret';
import { SIGNS } from './views';

/** Shorter values occur in ordinary text, such as `dev` or `12345`. */
const MIN_LENGTH = 6;
// 42 bits, the minimum that a value of six bytes yields. With 10,000 such cores, the probability that a megabyte of unrelated
// base64 contains one of them is below one percent. Cores of six characters would occur sixty times as often.
const MIN_CORE_LENGTH = 7;
const MAX_DEPTH = 16;

/** The forms in which a value may be written. They need no JSON or URL escapes, because those are decoded in the text. */
export interface Forms {
  /** Forms of at least `MIN_LENGTH` characters, which are masked everywhere. */
  readonly long: readonly string[];
  /** Shorter forms, which are masked only after a key that identifies them. */
  readonly short: readonly string[];
  /** The characters of `SIGNS` that the forms contain. */
  readonly signs: readonly string[];
}

const known = new WeakMap<Secret<unknown>, Forms>();

/** Returns the forms of the value in a box. Cached per box, because most boxes outlive many generations. */
export function formsOf(box: Secret<unknown>, definition: Definition<unknown> | undefined): Forms {
  let forms = known.get(box);
  if (forms === undefined) {
    const value = unseal(box);
    const sensitive = definition?.sensitive === undefined ? value : definition.sensitive(value);
    const texts = [...new Set(textsOf(sensitive))];
    forms = {
      long: texts.filter(({ length }) => length >= MIN_LENGTH),
      short: texts.filter(({ length }) => length > 0 && length < MIN_LENGTH),
      signs: SIGNS.filter((sign) => texts.some((text) => text.includes(sign))),
    };
    known.set(box, forms);
  }
  return forms;
}

function textsOf(value: unknown, depth = 0): string[] {
  if (typeof value === 'string') return ofText(value);
  if (typeof value === 'number' || typeof value === 'bigint') return ofText(String(value));
  const { isMap, isSet, isUint8Array } = builtin('util').types;
  if (isUint8Array(value)) {
    return ofBytes(Buffer.from(value.buffer, value.byteOffset, value.byteLength)).filter(
      ({ length }) => length >= MIN_LENGTH,
    );
  }
  if (value instanceof URL) return [value.href, decoded(value.password)].flatMap(ofText);
  if (typeof value === 'object' && value !== null && depth < MAX_DEPTH) {
    const parts = isMap(value) || isSet(value) ? [...value.values()] : Object.values(value);
    return parts.flatMap((part) => textsOf(part, depth + 1));
  }
  return [];
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function ofText(text: string): string[] {
  if (text.length < MIN_LENGTH) return [text];
  const inJson = JSON.stringify(text).slice(1, -1);
  return [
    text,
    // Web forms encode a space as `+`. Their other escapes are URL escapes.
    text.replaceAll(' ', '+'),
    ...inBase64(Buffer.from(text)),
    // The payload of a token contains the value as JSON.
    ...(inJson === text ? [] : inBase64(Buffer.from(inJson))),
  ];
}

function ofBytes(bytes: Buffer): string[] {
  const hex = bytes.toString('hex');
  const texts = [...inBase64(bytes), hex, hex.toUpperCase()];
  if (bytes.length < MIN_LENGTH) return texts;
  // JSON.stringify writes a Buffer as numbers, and a Uint8Array as numbered members.
  const members = Array.from(bytes, (byte, index) => (index === 0 ? `${byte}` : `"${index}":${byte}`));
  return [...texts, bytes.join(','), members.join(',')];
}

/**
 * Returns the whole value in base64, and its core for each alignment in longer base64. Three bytes make four characters, so
 * the encoding of a value depends on the number of bytes before it, modulo three. Its first and last characters may share
 * bits with neighbouring bytes; the core between them does not depend on the neighbours.
 */
function inBase64(bytes: Buffer): string[] {
  const texts = [bytes.toString('base64')];
  const behind = Buffer.concat([Buffer.alloc(2), bytes]);
  for (let before = 0; before < 3; before += 1) {
    const start = Math.ceil((before * 8) / 6);
    const end = Math.floor(((before + bytes.length) * 8) / 6);
    const core = behind
      .subarray(2 - before)
      .toString('base64')
      .slice(start, end);
    if (core.length >= MIN_CORE_LENGTH) texts.push(core);
  }
  return texts.flatMap((text) => [text, text.replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '')]);
}
