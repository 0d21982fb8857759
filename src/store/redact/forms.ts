import { isMap, isSet, isUint8Array } from 'node:util/types';
import type { Definition } from '../../definitions/definition';
import { type Secret, unseal } from '../../secret/secret';

/** Shorter values stand in ordinary text too: `dev`, `12345`. */
export const SHORTEST = 6;
// 42 bits, what a value of six bytes gives at its worst: in a megabyte of foreign base64 one of 10,000 such cores is
// met by chance with a probability below one percent. A core of six characters would be met sixty times as often.
const SHORTEST_CORE = 7;
const MAX_DEPTH = 16;

/** How a value may be written. Escapes of JSON and of URLs are not among them: texts are read without those. */
export interface Forms {
  /** At least `SHORTEST` characters each: masked wherever they stand. */
  readonly long: readonly string[];
  /** Masked only where a key tells what they are. */
  readonly short: readonly string[];
}

const known = new WeakMap<Secret<unknown>, Forms>();

/** The forms of what `box` holds; made once per box, since most boxes outlive many generations. */
export function formsOf(box: Secret<unknown>, definition: Definition<unknown> | undefined): Forms {
  let forms = known.get(box);
  if (forms === undefined) {
    const value = unseal(box);
    const sensitive = definition?.sensitive === undefined ? value : definition.sensitive(value);
    const texts = [...new Set(textsOf(sensitive))];
    forms = {
      long: texts.filter(({ length }) => length >= SHORTEST),
      short: texts.filter(({ length }) => length > 0 && length < SHORTEST),
    };
    known.set(box, forms);
  }
  return forms;
}

function textsOf(value: unknown, depth = 0): string[] {
  if (typeof value === 'string') return ofText(value);
  if (typeof value === 'number' || typeof value === 'bigint') return ofText(String(value));
  if (isUint8Array(value)) {
    return ofBytes(Buffer.from(value.buffer, value.byteOffset, value.byteLength)).filter(
      ({ length }) => length >= SHORTEST,
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
  if (text.length < SHORTEST) return [text];
  const inJson = JSON.stringify(text).slice(1, -1);
  return [
    text,
    // As forms of web pages are encoded; what else they escape is read as in every URL.
    text.replaceAll(' ', '+'),
    ...inBase64(Buffer.from(text)),
    // As a token's payload holds it.
    ...(inJson === text ? [] : inBase64(Buffer.from(inJson))),
  ];
}

function ofBytes(bytes: Buffer): string[] {
  const hex = bytes.toString('hex');
  const texts = [...inBase64(bytes), hex, hex.toUpperCase()];
  if (bytes.length < SHORTEST) return texts;
  // As JSON has a Buffer, and a Uint8Array.
  const members = Array.from(bytes, (byte, index) => (index === 0 ? `${byte}` : `"${index}":${byte}`));
  return [...texts, bytes.join(','), members.join(',')];
}

/**
 * As a whole, and the core of it at each place that it can have in longer base64. Three bytes make four characters, so
 * what a value looks like depends on how many bytes come before it, modulo three; and its first and last character may
 * hold bits of its neighbours. The core is what lies between: it is the same whatever the neighbours are.
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
    if (core.length >= SHORTEST_CORE) texts.push(core);
  }
  return texts.flatMap((text) => [text, text.replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '')]);
}
