import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { fromRepository, run } from './support/repository';

const page = readFileSync(fromRepository('docs/clients.md'), 'utf8');
const filesOf = (folder: string) =>
  readdirSync(fromRepository('test/clients', folder)).map((file) => file.replace(/\.ts$/, ''));

it('shows the recipes of docs/clients.md as npm run test:clients compiles and runs them', async () => {
  const { status, stderr } = await run(process.execPath, [
    ...['--import', 'tsx', fromRepository('scripts/recipes.ts'), '--check'],
  ]);
  expect([status, stderr]).toEqual([0, '']);
});

it('shows every recipe of test/clients in docs/clients.md', () => {
  const shown = [...page.matchAll(/<!-- recipe: (\S+) -->/g)].map(([, name]) => name);
  expect(shown.sort()).toEqual(filesOf('recipes').sort());
});

it('names every client with a row of its own, or says that only its types are checked', () => {
  const headings = [...page.matchAll(/^### .*\n\n(?:[^#<][^\n]*\n+)*<!-- recipe: (\S+) -->/gm)].map(
    ([text, name]) => ({ name: name as string, typesOnly: text.includes('Only its types are checked') }),
  );
  const rows = filesOf('rows');
  const unexplained = headings.filter(({ name, typesOnly }) => rows.includes(name) === typesOnly);
  expect(unexplained).toEqual([]);
});
