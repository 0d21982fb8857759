import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { fromRepository } from './support/repository';

/** A layer imports from those before it, and from itself. */
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
  'opentelemetry',
  'frameworks',
  'testing',
  'doctor',
  'cli',
  'index',
];

/** Where a package may be imported. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  '@grpc/grpc-js': ['adapters'],
  '@nestjs/common': ['frameworks'],
  '#nestjs-common': ['frameworks'],
  '@opentelemetry/api': ['opentelemetry'],
  chokidar: ['sources'],
  eventemitter3: ['internal'],
  fastify: ['frameworks'],
  hono: ['frameworks'],
  ioredis: ['adapters'],
  jose: ['internal'],
  koa: ['frameworks'],
  mysql2: ['adapters'],
  'mysql2/promise': ['adapters'],
  pg: ['adapters'],
  redis: ['adapters'],
  undici: ['adapters'],
  yaml: ['doctor'],
};

const LONG = 400;

const root = fromRepository('src');
const files = readdirSync(root, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .map((file) => file.split(sep).join('/'))
  .sort();

const text = (file: string) => readFileSync(join(root, file), 'utf8');
const layerOf = (file: string) => (file.split('/', 1)[0] as string).replace(/\.ts$/, '');
const imports = (file: string) => ts.preProcessFile(text(file)).importedFiles.map(({ fileName }) => fileName);

describe('the files in src', () => {
  it('puts every file into a known layer', () => {
    expect(files.filter((file) => !LAYERS.includes(layerOf(file)))).toEqual([]);
  });

  it('imports only from the same layer and from earlier ones', () => {
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

  it('imports each package only in its layer', () => {
    const wrong = files.flatMap((file) =>
      imports(file)
        .filter((name) => !name.startsWith('.') && !name.startsWith('node:'))
        .filter((name) => !PACKAGES[name]?.includes(layerOf(file)))
        .map((name) => `${file} imports ${name}`),
    );
    expect(wrong).toEqual([]);
  });

  it('imports only types from optional packages', () => {
    const wrong = files.filter((file) =>
      /^(import|export) (?!type )[^;]* from '(@opentelemetry\/api|fastify|hono|ioredis|koa|mysql2(\/promise)?|pg|redis|undici|@grpc\/grpc-js)'/m.test(
        text(file),
      ),
    );
    expect(wrong).toEqual([]);
  });

  it('uses named exports only', () => {
    const wrong = files.filter((file) => /^export (\*|default\b)/m.test(text(file)));
    expect(wrong).toEqual([]);
  });

  it('contains no import cycle, not even of types', () => {
    const graph = new Map(files.map((file) => [file, imports(file).flatMap((name) => fileOf(file, name))]));
    expect(cycleIn(graph)).toEqual([]);
  });

  it('contains 75 lines or more in half of its files', ({ annotate }) => {
    const sizes = files.map((file) => ({ file, lines: text(file).trimEnd().split('\n').length }));
    // No hard limit: whether a long file holds one idea is for a reader to judge.
    for (const { file, lines } of sizes.filter((one) => one.lines > LONG)) {
      void annotate(`${file} has ${lines} lines: does it still hold one idea?`, 'warning');
    }
    const median = sizes.map(({ lines }) => lines).sort((a, b) => a - b)[Math.floor(sizes.length / 2)];
    expect(median).toBeGreaterThanOrEqual(75);
  });
});

/** The file that an import resolves to. */
function fileOf(importer: string, name: string): string[] {
  if (!name.startsWith('.')) return [];
  const path = relative(root, join(root, dirname(importer), name))
    .split(sep)
    .join('/');
  return files.filter((file) => file === `${path}.ts` || file === `${path}/index.ts` || file === path);
}

/** The first cycle of a graph, as the files on it; empty when there is none. */
function cycleIn(graph: ReadonlyMap<string, readonly string[]>): string[] {
  const done = new Set<string>();
  const path: string[] = [];
  const visit = (file: string): string[] => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file];
    if (done.has(file)) return [];
    path.push(file);
    for (const next of graph.get(file) ?? []) {
      const cycle = visit(next);
      if (cycle.length > 0) return cycle;
    }
    path.pop();
    done.add(file);
    return [];
  };
  for (const file of graph.keys()) {
    const cycle = visit(file);
    if (cycle.length > 0) return cycle;
  }
  return [];
}
