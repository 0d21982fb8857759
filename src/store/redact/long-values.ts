import type { Find, Match } from './match';

const WORD = 4;
const LONGEST_STEP = 8;
// A key in PEM begins like every other one, for 76 characters and more.
const FURTHEST = 256;
const SMALLEST_BITS = 12;
const GOLDEN = 0x9e3779b1;
const NONE: readonly Match[] = [];

/**
 * Finds forms by words of four characters, which are looked up in a table: the time goes with the text alone, whatever
 * the number of forms. Not every word is looked at, only one in `step` characters, which is so few that each form has a
 * whole word at one of the looks. It lies in the table once for each place that it can have between two looks, each time
 * by that one of its words which the fewest others have: values have beginnings in common, such as `postgres://`,
 * `eyJhbGci`, `-----BEGIN`.
 *
 * @param names By form, of six characters or more, whose it is.
 */
export function longValues(names: ReadonlyMap<string, string>): Find {
  if (names.size === 0) return () => NONE;
  const forms = [...names.keys()];
  const shortest = forms.reduce((least, { length }) => Math.min(least, length), Number.POSITIVE_INFINITY);
  const step = Math.min(shortest - WORD + 1, LONGEST_STEP);
  const bits = Math.max(SMALLEST_BITS, Math.ceil(Math.log2(forms.length * step * 2)));
  const toBucket = 32 - bits;
  const rivals = countWords(forms, bits);
  // Entries are numbered from 1, `step` of them for each form. By bucket the first one, by entry the one that follows.
  const firsts = new Int32Array(1 << bits);
  const nexts = new Int32Array(forms.length * step + 1);
  const words = new Int32Array(forms.length * step + 1);
  const offsets = new Uint8Array(forms.length * step + 1);
  for (const [index, text] of forms.entries()) {
    const bytes = bytesOf(text.slice(0, FURTHEST));
    for (let place = 0; place < step; place += 1) {
      const entry = index * step + place + 1;
      let fewest = Number.POSITIVE_INFINITY;
      for (let at = place; at + WORD <= text.length && at + WORD <= FURTHEST; at += step) {
        const word = bytes.getInt32(at, true);
        const count = rivals[Math.imul(word, GOLDEN) >>> toBucket] as number;
        if (count >= fewest) continue;
        fewest = count;
        words[entry] = word;
        offsets[entry] = at;
      }
      const bucket = Math.imul(words[entry] as number, GOLDEN) >>> toBucket;
      nexts[entry] = firsts[bucket] as number;
      firsts[bucket] = entry;
    }
  }

  return (text) => {
    let found: Match[] | undefined;
    const bytes = bytesOf(text);
    const last = text.length - WORD;
    for (let at = 0; at <= last; at += step) {
      const word = bytes.getInt32(at, true);
      let entry = firsts[Math.imul(word, GOLDEN) >>> toBucket] as number;
      for (; entry !== 0; entry = nexts[entry] as number) {
        if (words[entry] !== word) continue;
        const form = forms[Math.floor((entry - 1) / step)] as string;
        const start = at - (offsets[entry] as number);
        if (start < 0 || !text.startsWith(form, start)) continue;
        found ??= [];
        found.push({ start, end: start + form.length, name: names.get(form) as string });
      }
    }
    return found ?? NONE;
  };
}

/** How many words of all forms fall into each bucket. */
function countWords(forms: readonly string[], bits: number): Uint32Array {
  const toBucket = 32 - bits;
  const counts = new Uint32Array(1 << bits);
  for (const text of forms) {
    const bytes = bytesOf(text.slice(0, FURTHEST));
    for (let at = 0; at + WORD <= text.length && at + WORD <= FURTHEST; at += 1) {
      const bucket = Math.imul(bytes.getInt32(at, true), GOLDEN) >>> toBucket;
      counts[bucket] = (counts[bucket] as number) + 1;
    }
  }
  return counts;
}

const scratch = Buffer.alloc(65_536);
const scratchView = new DataView(scratch.buffer, scratch.byteOffset, scratch.length);

/** The lower byte of each unit, which four at once can be read of; valid until the next call. */
function bytesOf(text: string): DataView {
  if (text.length <= scratch.length) {
    scratch.write(text, 'latin1');
    return scratchView;
  }
  const bytes = Buffer.from(text, 'latin1');
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
