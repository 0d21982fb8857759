// Prints the size of the sources and of the public API: npx tsx scripts/structure.ts
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const root = fileURLToPath(new URL('..', import.meta.url));
const source = join(root, 'src');
const lines = readdirSync(source, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts') && !file.endsWith('.generated.ts'))
  .map((file) => readFileSync(join(source, file), 'utf8').trimEnd().split('\n').length)
  .sort((a, b) => a - b);

const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile);
const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root);
const entries = Object.values(options.paths ?? {}).map(([file]) => join(root, file as string));
const program = ts.createProgram(entries, options);
const checker = program.getTypeChecker();
const exported = entries.flatMap((entry) => {
  const symbol = checker.getSymbolAtLocation(program.getSourceFile(entry) as ts.SourceFile);
  return symbol === undefined ? [] : checker.getExportsOfModule(symbol);
});
const isValue = (symbol: ts.Symbol) => {
  const target = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
  return (target.flags & ts.SymbolFlags.Value) !== 0;
};
console.table({
  files: lines.length,
  lines: lines.reduce((sum, count) => sum + count, 0),
  'median lines per file': lines[Math.floor(lines.length / 2)],
  entries: entries.length,
  'exported names': new Set(exported.map(({ name }) => name)).size,
  'exported values': new Set(exported.filter(isValue).map(({ name }) => name)).size,
});
