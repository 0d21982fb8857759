import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ts from 'typescript';
import { describe, expect, it, onTestFinished } from 'vitest';
import { SCRIPT } from '../../../src/status/page/script/script';
import { fromRepository, repository, run } from '../../package/support/repository';

/** What the comments of the script call the parts of a report. */
const TYPES = `
  type Status = import('./types').StatusReport;
  type Store = import('./types').StoreStatus;
  type Secret = import('./types').SecretStatus;
  type Source = import('./types').SourceStatus;
  type Resource = import('./types').ResourceStatus;
  type Problem = import('./types').StatusProblem;
  type Entry = import('./types').TimelineEntry;
`;

const files = new Map([
  [fromRepository('src/status/page-script.js'), `${SCRIPT}\nexport {};\n`],
  [fromRepository('src/status/page-types.d.ts'), TYPES],
]);

/** What TypeScript says of the script, in a browser, with the types of the report. */
function complaints(): string[] {
  const options: ts.CompilerOptions = {
    allowJs: true,
    checkJs: true,
    noEmit: true,
    strict: true,
    noImplicitAny: false,
    strictNullChecks: false,
    noUnusedLocals: true,
    skipLibCheck: true,
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    lib: ['lib.es2023.d.ts', 'lib.dom.d.ts', 'lib.dom.iterable.d.ts'],
    types: ['node'],
  };
  const host = ts.createCompilerHost(options);
  const { fileExists, readFile, getSourceFile } = host;
  host.fileExists = (name) => files.has(name) || fileExists(name);
  host.readFile = (name) => files.get(name) ?? readFile(name);
  host.getSourceFile = (name, target, ...rest) => {
    const text = files.get(name);
    return text === undefined
      ? getSourceFile(name, target, ...rest)
      : ts.createSourceFile(name, text, target, true);
  };
  const program = ts.createProgram([...files.keys()], options, host);
  return [...files.keys()]
    .flatMap((name) => ts.getPreEmitDiagnostics(program, program.getSourceFile(name)))
    .map(({ messageText, file, start = 0 }) => {
      const line = file?.getLineAndCharacterOfPosition(start).line ?? 0;
      const source = file?.text.split('\n')[line]?.trim();
      return `${ts.flattenDiagnosticMessageText(messageText, '\n')} | ${source}`;
    });
}

describe('the script of the page', () => {
  it('fits the types of the report, and those of browsers', () => {
    expect(complaints()).toEqual([]);
  }, 60_000);

  it('is what the linter lets pass', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'hot-secrets-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const file = join(folder, 'page-script.js');
    writeFileSync(file, SCRIPT);
    const flags = [`--config-path=${repository}`, '--diagnostic-level=warn', '--error-on-warnings'];
    const { status, stdout, stderr } = await run(fromRepository('node_modules/.bin/biome'), [
      'lint',
      ...flags,
      file,
    ]);
    expect(status, stdout + stderr).toBe(0);
  });

  it('makes no markup of text', () => {
    expect(SCRIPT).not.toMatch(/innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval|Function\(/);
  });
});
