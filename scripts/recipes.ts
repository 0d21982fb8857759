// npx tsx scripts/recipes.ts: writes the recipes of test/clients into docs/clients.md. With --check, only compares.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';

const PAGE = resolve(import.meta.dirname, '../docs/clients.md');
const RECIPES = resolve(import.meta.dirname, '../test/clients/recipes');

/** A marker on the page, and the code below it. */
const BLOCK = /<!-- recipe: (\S+) -->\n+(?:```typescript\n[\s\S]*?^```\n+)?/gm;

/** What the first lines of the page declare. */
const DECLARED = /^import .*'\.\.\/measure';$|^import type \{ HotPool \} /;

const before = readFileSync(PAGE, 'utf8');
const after = before
  .replace(
    BLOCK,
    (_, name: string) => `<!-- recipe: ${name} -->\n\n\`\`\`typescript\n${recipe(name)}\n\`\`\`\n\n`,
  )
  .replace(/\n+$/, '\n');
if (process.argv.includes('--check')) {
  if (after !== before) {
    console.error('docs/clients.md differs from test/clients/recipes. Run: npx tsx scripts/recipes.ts');
    process.exit(1);
  }
} else writeFileSync(PAGE, after);

/** The imports of a recipe, and the lines of its region without their indentation. */
function recipe(name: string): string {
  const path = resolve(RECIPES, `${name}.ts`);
  if (!existsSync(path)) throw new Error(`docs/clients.md names the recipe "${name}", which does not exist.`);
  const text = readFileSync(path, 'utf8');
  const imports = [...text.matchAll(/^import [\s\S]*?;$/gm)]
    .map(([line]) => line.replace("'../generated/", "'./generated/"))
    .filter((line) => !DECLARED.test(line));
  const [, region = ''] = /\/\/ #region recipe\n([\s\S]*?)\n *\/\/ #endregion/.exec(text) ?? [];
  const lines = region.split('\n');
  const indent = Math.min(...lines.filter((line) => line !== '').map((line) => line.search(/\S/)));
  return [...imports, '', ...lines.map((line) => line.slice(indent))].join('\n');
}
