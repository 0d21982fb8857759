import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { errorCodes, SecretsError, type SecretsErrorCode } from 'hot-secrets';
import { expect, it } from 'vitest';
import { fromRepository } from './support/repository';

const codes = Object.keys(errorCodes) as SecretsErrorCode[];

it('documents every error code once in docs/errors.md, in the order of the code', () => {
  const page = readFileSync(fromRepository('docs/errors.md'), 'utf8');
  const entries = [...page.matchAll(/^### `([A-Z_0-9]+)`$/gm)].map(([, code]) => code);
  expect(entries).toEqual(codes);
});

it('says in each entry of docs/errors.md what to do and how the error arrives', () => {
  const [, ...entries] = readFileSync(fromRepository('docs/errors.md'), 'utf8').split(/^### /m);
  const lacking = entries.filter(
    (entry) => !/\n\n\*\*What to do:\*\* [\s\S]+\n\n_(Thrown|An event|A warning)\b[^_]*_\n/.test(entry),
  );
  expect(lacking).toEqual([]);
});

it('links each error to its entry', () => {
  for (const code of codes) {
    expect(new SecretsError(code, 'it broke').docs).toBe(`docs/errors.md#${code.toLowerCase()}`);
  }
});

it('leaves the link out of the message and of printed and serialized errors', () => {
  const error = new SecretsError('SECRET_MISSING', 'it broke', { next: 'Fix it.' });
  expect(error.message + inspect(error) + JSON.stringify({ ...error })).not.toContain('docs/');
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
