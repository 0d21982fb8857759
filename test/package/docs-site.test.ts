import { existsSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { pagesByTask } from '../../docs/.vitepress/pages';
import { doctorLevels } from '../../src/doctor/findings';
import { manifestLevels } from '../../src/doctor/manifests/codes';
import { docsPages } from './support/docs-pages';
import { fromRepository, run } from './support/repository';

const read = (path: string) => readFileSync(fromRepository(path), 'utf8');

it('lists every page in the sidebar of the site, once', () => {
  const listed = Object.values(pagesByTask).flatMap((pages) => Object.keys(pages));
  // The API pages are generated when the site is built.
  const written = listed.filter((page) => page !== 'api/').map((page) => `docs/${page}.md`);
  expect(written.sort()).toEqual(docsPages.filter((page) => page !== 'docs/index.md'));
});

it('generates docs/reference/configuration.md as it is committed, with a meaning for each option', async () => {
  const tsx = fromRepository('node_modules/tsx/dist/cli.mjs');
  const { status, stderr } = await run(process.execPath, [tsx, 'scripts/reference.ts', '--check']);
  expect([status, stderr]).toEqual([0, '']);
  const rows = read('docs/reference/configuration.md').match(/^\| `.*$/gm) ?? [];
  expect(rows.length).toBeGreaterThan(200);
  expect(rows.filter((row) => /\| *\|$/.test(row))).toEqual([]);
}, 180_000);

it('names each code that the doctor finds in a pod in docs/troubleshooting.md', () => {
  const page = read('docs/troubleshooting.md');
  // Those of manifests are listed by cause in docs/doctor.md.
  const codes = Object.keys(doctorLevels).filter((code) => !(code in manifestLevels));
  expect(codes.filter((code) => !page.includes(`\`${code}\``))).toEqual([]);
});

it('names only pages that exist in llms.txt', () => {
  const named = [...read('llms.txt').matchAll(/docs\/[\w/-]+\.md/g)].map(([page]) => page);
  expect(named.filter((page) => !existsSync(fromRepository(page)))).toEqual([]);
  expect(new Set(named).size).toBeGreaterThan(15);
});

it('draws pictures that follow the colour scheme and describe themselves', () => {
  for (const picture of ['docs/pictures/data-flow.svg', 'docs/pictures/rotation.svg', 'docs/demo.svg']) {
    expect(read(picture)).toMatch(/prefers-color-scheme: dark/);
    expect(read(picture)).toMatch(/role="img"/);
  }
});
