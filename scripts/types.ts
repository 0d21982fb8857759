/**
 * Moves the types of the build to `dist/cjs`. Those of the ESM build refer to them: ES modules may import the types of CommonJS,
 * not the other way round. A program that uses both builds sees one type where they share a value.
 */
import { existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import ts from 'typescript';

/** Packages whose types a CommonJS file cannot import everywhere (`node16`). What imports them keeps a file in each build. */
const ES_MODULES = new Set(['@nestjs/common', 'hono']);

for (const file of readdirSync('dist').filter((name) => name.endsWith('.d.ts'))) {
  const code = readFileSync(`dist/${file}`, 'utf8');
  const { importedFiles } = ts.preProcessFile(code);
  renameSync(`dist/${file}`, `dist/cjs/${file}`);
  const name = file.replace(/\.d\.ts$/, '');
  if (importedFiles.some(({ fileName }) => ES_MODULES.has(fileName))) {
    writeFileSync(`dist/${file}`, withOwnFilesOfCjs(code, importedFiles));
  } else if (existsSync(`dist/${name}.js`)) {
    writeFileSync(`dist/${file}`, `export * from './cjs/${name}.js';\n`);
  }
}

/** `pos` is that of the quote. From the last to the first, because each replacement moves what follows it. */
function withOwnFilesOfCjs(code: string, imported: readonly ts.FileReference[]): string {
  const own = imported.filter(({ fileName }) => fileName.startsWith('./'));
  return own.reduceRight(
    (text, { pos }) => `${text.slice(0, pos + 1)}./cjs/${text.slice(pos + 1 + './'.length)}`,
    code,
  );
}
