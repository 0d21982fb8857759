import { isUint8Array } from 'node:util/types';
import type { Definition } from '../definitions/definition';
import type { Serving } from './snapshot';

const SHORTEST = 6;
const MAX_DEPTH = 16;

/** Masks the values of `entries`: the function is built once per generation, on first use. */
export function redactor(
  entries: ReadonlyMap<string, Serving>,
  definitions: ReadonlyMap<string, Definition<unknown>>,
): (text: string) => string {
  const names = new Map<string, string>();
  for (const [name, serving] of entries) {
    const definition = definitions.get(name);
    for (const box of [serving.secret, ...serving.previous.map((one) => one.secret)]) {
      const value = box.reveal();
      const sensitive = definition?.sensitive === undefined ? value : definition.sensitive(value);
      for (const form of formsOf(sensitive)) {
        if (form.length >= SHORTEST && !names.has(form)) names.set(form, name);
      }
    }
  }
  if (names.size === 0) return (text) => text;
  // The longest first: one value may begin with another.
  const forms = [...names.keys()].sort((a, b) => b.length - a.length);
  const pattern = new RegExp(forms.map(escapeRegExp).join('|'), 'g');
  return (text) => text.replace(pattern, (form) => `[secret ${names.get(form)}]`);
}

function formsOf(value: unknown, depth = 0): string[] {
  if (typeof value === 'string') {
    const inJson = JSON.stringify(value).slice(1, -1);
    return inJson === value ? [value] : [value, inJson];
  }
  if (isUint8Array(value)) {
    const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
    return [bytes.toString('base64'), bytes.toString('base64url'), bytes.toString('hex')];
  }
  if (typeof value === 'object' && value !== null && depth < MAX_DEPTH) {
    return Object.values(value).flatMap((part) => formsOf(part, depth + 1));
  }
  if (typeof value === 'number' || typeof value === 'bigint') return [String(value)];
  return [];
}

function escapeRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
