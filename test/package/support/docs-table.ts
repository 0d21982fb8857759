import { readFileSync } from 'node:fs';
import { fromRepository } from './repository';

/** The cells of each row of the table whose first column has this heading. */
export function docsTable(page: string, heading: string): string[][] {
  const lines = readFileSync(fromRepository('docs', page), 'utf8').split('\n');
  const start = lines.findIndex((line) => cells(line)[0] === heading);
  if (start < 0) throw new Error(`docs/${page} has no table "${heading}".`);
  const rows = lines.slice(start + 2);
  return rows
    .slice(
      0,
      rows.findIndex((line) => !line.startsWith('|')),
    )
    .map(cells);
}

/** The parts of a text in backticks. */
export function codeIn(text = ''): string[] {
  return [...text.matchAll(/`([^`]+)`/g)].map(([, code]) => code as string);
}

function cells(line: string): string[] {
  return line
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim());
}
