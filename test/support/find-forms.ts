import type { FormTable } from '../../src/redact/form-table';

/** Returns what a table of forms finds in a text. */
export function findForms(table: FormTable, text: string) {
  const units = Uint16Array.from({ length: text.length }, (_, at) => text.charCodeAt(at));
  const matches = table.find(units, text.length, new Int32Array(text.length + 1));
  return Array.from({ length: matches.size }, (_, index) => ({
    start: matches.startOf(index),
    end: matches.endOf(index),
    name: table.nameOf(matches.ownerOf(index)),
  }));
}
