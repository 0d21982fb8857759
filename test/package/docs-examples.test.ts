import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createTestMount } from 'hot-secrets/testing';
import ts from 'typescript';
import { afterAll, expect, it } from 'vitest';
import { createAuthority } from '../support/certificates';
import { docsPages } from './support/docs-pages';
import { fromRepository, run } from './support/repository';

const folder = fromRepository('.tmp/docs-examples');
const pages = ['README.md', 'SKILL.md', ...docsPages];

/** One fenced example of a page. */
interface Block {
  readonly page: string;
  /** The name of its file, without `.ts`. */
  readonly module: string;
  readonly text: string;
  /** What it declares at its top level: later examples of the page may use that, as a reader would. */
  readonly declared: readonly Declared[];
  readonly imported: readonly string[];
}

interface Declared {
  readonly name: string;
  readonly isType: boolean;
  readonly isExported: boolean;
}

afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('compiles every TypeScript example, each with its own imports and what its page declared before', async () => {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  let count = 0;
  for (const page of pages) {
    const blocks = blocksOf(page, 'ts');
    for (const [index, block] of blocks.entries()) {
      writeFileSync(join(folder, `${block.module}.ts`), standalone(block, blocks.slice(0, index)));
      count += 1;
    }
  }
  expect(count).toBeGreaterThan(30);
  const config = {
    extends: '../../tsconfig.json',
    compilerOptions: { noUnusedLocals: false, noUnusedParameters: false, incremental: false },
    include: ['*.ts', fromRepository('test/support/untyped.d.ts')],
  };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config));
  const { status, stdout } = await run(process.execPath, [
    fromRepository('node_modules/typescript/bin/tsc'),
    '--pretty',
    'false',
    '-p',
    folder,
  ]);
  expect(stdout).toBe('');
  expect(status).toBe(0);
}, 300_000);

/** Examples that need no server or vault, by the page and their position on it. Each also runs the earlier ones that it uses. */
const RUNNABLE: readonly (readonly [page: string, index: number])[] = [
  ['SKILL.md', 3],
  ['SKILL.md', 4],
  ['docs/doctor.md', 1],
  ['docs/getting-started.md', -1],
  ['docs/migration.md', 0],
  ['docs/migration.md', 1],
  ['docs/migration.md', 2],
  ['docs/migration.md', 3],
  ['docs/sources.md', 0],
];

it.each(RUNNABLE)(
  'runs the example of %s at position %d to its end',
  async (page, index) => {
    const blocks = blocksOf(page, 'ts');
    const block = blocks.at(index) as Block;
    const pair = await (await createAuthority()).issue();
    await using mount = await createTestMount({
      'database-user': 'app',
      'database-password': 'first',
      'api-key': 'key',
      'tls.crt': pair.cert,
      'tls.key': pair.key,
    });
    // Examples name the default mount; a test cannot write there.
    const folderOfPage = join(folder, 'run', `${block.module}`);
    mkdirSync(folderOfPage, { recursive: true });
    for (const [position, one] of blocks.entries()) {
      const text = standalone(one, blocks.slice(0, position)).replace(
        /'\/(mnt\/secrets-store|run\/app-secrets)'/g,
        JSON.stringify(mount.path),
      );
      writeFileSync(join(folderOfPage, `${one.module}.ts`), text);
    }
    const tsx = fromRepository('node_modules/tsx/dist/cli.mjs');
    const { status, stderr } = await run(process.execPath, [tsx, join(folderOfPage, `${block.module}.ts`)], {
      env: { SECRETS_PATH: mount.path, API_KEY: 'variable' },
    });
    expect([status, stderr]).toEqual([0, '']);
  },
  60_000,
);

it('contains only JavaScript examples that parse', () => {
  const faults = pages.flatMap((page) =>
    blocksOf(page, 'js').flatMap(({ module, text }) => {
      const { diagnostics = [] } = ts.transpileModule(text, {
        fileName: `${module}.js`,
        reportDiagnostics: true,
        compilerOptions: { allowJs: true, module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 },
      });
      return diagnostics.map(({ messageText }) => `${module}: ${JSON.stringify(messageText)}`);
    }),
  );
  expect(faults).toEqual([]);
});

function blocksOf(page: string, language: 'ts' | 'js'): Block[] {
  const text = readFileSync(fromRepository(page), 'utf8');
  const fence = new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'gm');
  return [...text.matchAll(fence)].map((match) => {
    const line = text.slice(0, match.index).split('\n').length;
    const module = `${page.replace(/\W/g, '-')}-line-${line}`;
    return { page, module, text: match[1] as string, ...topLevelOf(match[1] as string) };
  });
}

/** What is added goes onto a first line of its own. */
function standalone(block: Block, before: readonly Block[]): string {
  const own = new Set([...block.imported, ...block.declared.map(({ name }) => name)]);
  const lacks = (name: string) => used(name, block.text) && !own.has(name);
  const added = new Map<string, string>();
  for (const { module, declared } of before) {
    for (const { name, isType } of declared) {
      if (lacks(name)) added.set(name, `import { ${isType ? 'type ' : ''}${name} } from './${module}';`);
    }
  }
  const exported = block.declared
    .filter(({ isExported }) => !isExported)
    .map(({ name, isType }) => `${isType ? 'type ' : ''}${name}`);
  return `${[...added.values()].join(' ')}\n${block.text}export { ${exported.join(', ')} };\n`;
}

function used(name: string, block: string): boolean {
  const code = block.replace(/\/\/.*$/gm, '').replace(/'[^'\n]*'/g, "''");
  return new RegExp(`(?<![.\\w])${name}\\b(?!:)`).test(code);
}

function topLevelOf(text: string): Pick<Block, 'declared' | 'imported'> {
  const declared: Declared[] = [];
  const imported: string[] = [];
  for (const statement of ts.createSourceFile('block.ts', text, ts.ScriptTarget.Latest, true).statements) {
    const isExported =
      ts.canHaveModifiers(statement) &&
      (ts.getModifiers(statement) ?? []).some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword);
    const add = (name: ts.Node | undefined, isType = false) => {
      if (name !== undefined) declared.push({ name: name.getText(), isType, isExported });
    };
    if (ts.isVariableStatement(statement)) {
      for (const { name } of statement.declarationList.declarations)
        for (const one of namesIn(name)) add(one);
    }
    if (ts.isFunctionDeclaration(statement) || ts.isClassDeclaration(statement)) add(statement.name);
    if (ts.isInterfaceDeclaration(statement) || ts.isTypeAliasDeclaration(statement)) {
      add(statement.name, true);
    }
    if (ts.isImportDeclaration(statement)) imported.push(...importedBy(statement));
  }
  return { declared, imported };
}

function namesIn(name: ts.BindingName): ts.Identifier[] {
  if (ts.isIdentifier(name)) return [name];
  return name.elements.flatMap((element) => (ts.isOmittedExpression(element) ? [] : namesIn(element.name)));
}

function importedBy({ importClause }: ts.ImportDeclaration): string[] {
  const bindings = importClause?.namedBindings;
  const names = importClause?.name === undefined ? [] : [importClause.name.text];
  if (bindings === undefined) return names;
  if (ts.isNamespaceImport(bindings)) return [...names, bindings.name.text];
  return [...names, ...bindings.elements.map((element) => element.name.text)];
}
