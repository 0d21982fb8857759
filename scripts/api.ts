// Writes docs/api, the reference of every export, from the comments of the code: npx tsx scripts/api.ts. It is not committed.
// Ends with 1 if an export has no comment, or a comment links to something that does not exist.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Application, Converter, Logger, LogLevel, ReflectionKind } from 'typedoc';
import ts from 'typescript';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Converts every entry of the package. Returns the warnings; writes the pages to `out` if there is one. */
export async function generateApi(out?: string): Promise<string[]> {
  const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile);
  const paths = config.compilerOptions.paths as Record<string, [string]>;
  const names = new Map(Object.entries(paths).filter(([name]) => !name.startsWith('#')));
  const application = await Application.bootstrapWithPlugins({
    plugin: ['typedoc-plugin-markdown'],
    entryPoints: [...names.values()].map(([file]) => join(root, file)),
    basePath: root,
    tsconfig: join(root, 'tsconfig.json'),
    // `npm run typecheck` does that.
    skipErrorChecking: true,
    readme: 'none',
    name: 'API',
    router: 'module',
    excludePrivate: true,
    excludeInternal: true,
    excludeExternals: true,
    disableSources: true,
    validation: { notExported: false, invalidLink: true, notDocumented: true },
    requiredToBeDocumented: ['Class', 'Function', 'Interface', 'TypeAlias', 'Variable', 'Enum', 'Accessor'],
    logLevel: 'Warn',
    ...{ hideBreadcrumbs: true, hidePageHeader: true, useCodeBlocks: true, useHTMLEncodedBrackets: true },
    ...{ parametersFormat: 'table', interfacePropertiesFormat: 'table', entryFileName: 'index' },
  } as Parameters<typeof Application.bootstrapWithPlugins>[0]);
  const warnings: string[] = [];
  application.logger = new (class extends Logger {
    override log(message: string, level: LogLevel): void {
      if (level >= LogLevel.Warn && !isMember(message)) warnings.push(message);
    }
  })();
  // A module has the name that users import.
  application.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
    for (const module of project.getChildrenByKind(ReflectionKind.Module)) {
      const [name] = [...names].find(([, [file]]) => isEntry(file, module.name)) ?? [];
      if (name !== undefined) module.name = name;
    }
  });
  const project = await application.convert();
  if (project === undefined) throw new Error('TypeDoc could not read the sources.');
  application.validate(project);
  if (out !== undefined) {
    application.options.setValue('outputs', [{ name: 'markdown', path: out }]);
    await application.generateOutputs(project);
    nameCodes(out);
  }
  return warnings;
}

/** `src/adapters/pg/index.ts` is the module `src/adapters/pg`, `src/index.ts` is `src`. */
function isEntry(file: string, module: string): boolean {
  return [`./${module}.ts`, `./${module}/index.ts`].includes(file);
}

/** TypeDoc writes out the type `SecretsErrorCode`, about a hundred codes, wherever it occurs. */
function nameCodes(out: string): void {
  for (const file of readdirSync(out, { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.md')) continue;
    const path = join(out, file);
    const home = relative(join(path, '..'), join(out, 'hot-secrets.md'));
    const text = readFileSync(path, 'utf8')
      .replace(
        /(\\\| )?`"NAME_INVALID"`.*?`"POOL_CLOSED"`/g,
        `[\`SecretsErrorCode\`](${home}#secretserrorcode)`,
      )
      .replace(/\s*\| "NAME_INVALID"\n[\s\S]*?\| "POOL_CLOSED"/g, ' SecretsErrorCode');
    writeFileSync(path, text);
  }
}

/** Members whose names say it all need no comment: `TestMount.[asyncDispose]`. */
function isMember(message: string): boolean {
  const [, name = ''] = /^(\S+) \(\w+\), .*does not have any documentation$/.exec(message) ?? [];
  return name.split('.').length > 2;
}

if (process.argv[1] !== undefined && basename(process.argv[1]) === 'api.ts') {
  const warnings = await generateApi(join(root, 'docs/api'));
  for (const warning of warnings) console.error(warning);
  if (warnings.length > 0) process.exitCode = 1;
}
