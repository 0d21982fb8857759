import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { fromRepository } from './support/repository';

/** Imports go from the right to the left, and within one entry. */
const LAYERS = [
  'errors',
  'internal',
  'observe',
  'secret',
  'sources',
  'definitions',
  'redact',
  'store',
  'rotation',
  'adapters',
  'http',
  'triggers',
  'health',
  'status',
  'opentelemetry',
  'frameworks',
  'testing',
  'index',
];

/** Where a package may be imported. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  '@nestjs/common': ['frameworks'],
  '@opentelemetry/api': ['opentelemetry'],
  chokidar: ['sources'],
  eventemitter3: ['internal'],
  fastify: ['frameworks'],
  hono: ['frameworks'],
  jose: ['internal'],
  koa: ['frameworks'],
  pg: ['adapters'],
  undici: ['adapters'],
};

const LONGEST = 300;

const root = fromRepository('src');
const files = readdirSync(root, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .map((file) => file.split(sep).join('/'))
  .sort();

const text = (file: string) => readFileSync(join(root, file), 'utf8');
const layerOf = (file: string) => (file.split('/', 1)[0] as string).replace(/\.ts$/, '');
const imports = (file: string) => ts.preProcessFile(text(file)).importedFiles.map(({ fileName }) => fileName);

describe('the sources', () => {
  it('lie in a known layer', () => {
    expect(files.filter((file) => !LAYERS.includes(layerOf(file)))).toEqual([]);
  });

  it('import in one direction', () => {
    const wrong = files.flatMap((file) =>
      imports(file)
        .filter((name) => name.startsWith('.'))
        .map((name) =>
          relative(root, join(root, dirname(file), name))
            .split(sep)
            .join('/'),
        )
        .filter((target) => LAYERS.indexOf(layerOf(target)) > LAYERS.indexOf(layerOf(file)))
        .map((target) => `${file} imports ${target}`),
    );
    expect(wrong).toEqual([]);
  });

  it('import packages only where they belong', () => {
    const wrong = files.flatMap((file) =>
      imports(file)
        .filter((name) => !name.startsWith('.') && !name.startsWith('node:'))
        .filter((name) => !PACKAGES[name]?.includes(layerOf(file)))
        .map((name) => `${file} imports ${name}`),
    );
    expect(wrong).toEqual([]);
  });

  it('import optional packages for their types alone', () => {
    const wrong = files.filter((file) =>
      /^(import|export) (?!type )[^;]* from '(@opentelemetry\/api|fastify|hono|koa|pg|undici)'/m.test(
        text(file),
      ),
    );
    expect(wrong).toEqual([]);
  });

  it('export by name', () => {
    const wrong = files.filter((file) => /^export (\*|default\b)/m.test(text(file)));
    expect(wrong).toEqual([]);
  });

  it(`stay within ${LONGEST} lines`, () => {
    const lines = (file: string) => text(file).trimEnd().split('\n').length;
    expect(files.filter((file) => lines(file) > LONGEST)).toEqual([]);
  });
});
