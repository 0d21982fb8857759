import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { errorCodes } from 'hot-secrets';
import { expect, it } from 'vitest';
import { fromRepository } from './support/repository';

const codes = Object.keys(errorCodes);

it('documents every error code once in docs/errors.md, in the order of the code', () => {
  const page = readFileSync(fromRepository('docs/errors.md'), 'utf8');
  const rows = [...page.matchAll(/^\|\s*`([A-Z_0-9]+)`\s*\|/gm)].map(([, code]) => code);
  expect(rows).toEqual(codes);
});

it('uses every error code in the sources', () => {
  const root = fromRepository('src');
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter(
    (file) => file.endsWith('.ts') && file !== 'errors.ts',
  );
  // Comments name codes too.
  const code = files
    .map((file) => readFileSync(join(root, file), 'utf8').replace(/\/\*[\s\S]*?\*\//g, ''))
    .join();
  expect(codes.filter((one) => !code.includes(`'${one}'`))).toEqual([]);
});
