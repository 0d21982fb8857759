import { styleText } from 'node:util';

/** Renders rows as text. Each row is a title and its cells. The first column of cells is highlighted. */
export function renderTable(rows: readonly (readonly string[])[], color: boolean): string {
  const columns = Math.max(...rows.map((row) => row.length));
  const widths = Array.from({ length: columns }, (_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? '').length)),
  );
  const [first = 0, ...others] = widths;
  return rows
    .map(([title = '', ...cells]) => {
      const padded = cells.map((cell, index) => cell.padStart((others[index] ?? 0) + 4));
      if (color && padded[0] !== undefined && cells[0] !== '') padded[0] = styleText('green', padded[0]);
      return `  ${title.padEnd(first)}${padded.join('')}`.trimEnd();
    })
    .join('\n');
}

export function count(value: number): string {
  return value.toLocaleString('en-US');
}
