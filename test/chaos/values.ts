import { createHash } from 'node:crypto';

const sumOf = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 12);

/** The value of a key in one generation of a mount. It says where it belongs, and ends with a checksum. */
export function textOf(mount: string, key: string, generation: number): string {
  const fill = 'x'.repeat(generation % 7 === 0 ? 6000 : 1 + (generation % 97));
  const text = `${mount} ${key} ${generation} ${fill}`;
  return `${text} ${sumOf(text)}`;
}

/** Returns the generation of a value; `undefined` if the value is not whole, or belongs to another key. */
export function generationOf(mount: string, key: string, value: unknown): number | undefined {
  if (typeof value !== 'string') return undefined;
  const end = value.lastIndexOf(' ');
  const text = value.slice(0, Math.max(0, end));
  const [ofMount, ofKey, generation] = text.split(' ');
  const isWhole = sumOf(text) === value.slice(end + 1) && ofMount === mount && ofKey === key;
  return isWhole ? Number(generation) : undefined;
}
