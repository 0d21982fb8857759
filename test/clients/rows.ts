import { readdirSync } from 'node:fs';
import { join } from 'node:path';

/** The names of all rows: each is a file in `rows`, and has the name of its recipe. */
export const rowNames = readdirSync(join(import.meta.dirname, 'rows')).map((file) =>
  file.replace(/\.ts$/, ''),
);
