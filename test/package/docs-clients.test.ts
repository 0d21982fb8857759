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

it('says of each recipe without a row that only its types are checked, and of no other', () => {
  const sections = page.split(/^##+ /m).flatMap((text) => {
    const [, name] = /<!-- recipe: (\S+) -->/.exec(text) ?? [];
    return name === undefined ? [] : [{ name, text }];
  });
  const typesOnly = sections.filter(({ text }) => text.includes('Only its types are checked'));
  const withoutRow = sections.filter(({ name }) => !filesOf('rows').includes(name));
  expect(typesOnly.map(({ name }) => name)).toEqual(withoutRow.map(({ name }) => name));
});
