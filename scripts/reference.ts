// Writes docs/reference/configuration.md, every option of every function, from the types, their comments, and the declarations
// that read the options: npx tsx scripts/reference.ts. With --check it only compares.
import { readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { type Declared, readDeclarations } from './option-declarations';

const root = fileURLToPath(new URL('..', import.meta.url));
const source = join(root, 'src');
const target = join(root, 'docs/reference/configuration.md');

const INTRODUCTION = `# Configuration

Every option of every function, generated from the code. Durations are in milliseconds; \`Infinity\` means no limit. An unknown
option throws [\`OPTION_UNKNOWN\`](../errors.md#option_unknown), which suggests the right name; a value outside of its range throws
[\`OPTION_INVALID\`](../errors.md#option_invalid). Pages by task: [sources](../sources.md), [values](../values.md),
[PostgreSQL](../postgresql.md), [triggers](../triggers.md), [testing](../testing.md).

An option without a default is not set, unless its description says otherwise. Variables of the environment that count are
\`SECRETS_PATH\`, \`SERVICE_BINDING_ROOT\`, \`CREDENTIALS_DIRECTORY\`, \`AZURE_KEY_VAULT_ENDPOINT\`, \`HTTPS_PROXY\`, those of the workload
identity, and for each secret its own variable, also with the suffix \`_FILE\`: see [sources](../sources.md).
`;

interface Callable {
  readonly title: string;
  readonly symbol: ts.Symbol;
  /** What it belongs to, whose comment has the codes of all members. */
  readonly owner: ts.Symbol;
  readonly signatures: readonly ts.Signature[];
}

const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile);
const { options: compilerOptions } = ts.parseJsonConfigFileContent(config, ts.sys, root);
const entries = Object.entries(compilerOptions.paths ?? {}).filter(([name]) => !name.startsWith('#'));
const program = ts.createProgram(
  entries.map(([, [file]]) => join(root, file as string)),
  compilerOptions,
);
const checker = program.getTypeChecker();
const declarations = readDeclarations(program, source);

/** The page, as it should be. */
export function configurationPage(): string {
  const documented = new Set<string>();
  const sections = entries.flatMap(([entry, [file]]) => {
    const functions = callablesOf(join(root, file as string))
      .map((one) => section(one, documented))
      .filter((text) => text !== undefined);
    return functions.length === 0 ? [] : [`## ${entry}\n\n${functions.join('\n')}`];
  });
  return `${INTRODUCTION}\n${sections.join('\n')}`;
}

/** Exported functions, methods of exported objects and classes, and methods of exported interfaces. */
function callablesOf(file: string): Callable[] {
  const module = checker.getSymbolAtLocation(program.getSourceFile(file) as ts.SourceFile);
  const exported = module === undefined ? [] : checker.getExportsOfModule(module).map(resolved);
  return exported.flatMap((symbol) => {
    const named = (title: string, one: ts.Symbol, type: ts.Type): Callable[] => {
      const signatures = type.getCallSignatures();
      return signatures.length === 0 ? [] : [{ title, symbol: one, owner: symbol, signatures }];
    };
    const value = symbol.flags & ts.SymbolFlags.Value ? checker.getTypeOfSymbol(symbol) : undefined;
    const own = value === undefined ? [] : named(symbol.name, symbol, value);
    const isOptions = /(Options|Source|Request|Response|Definition)$/.test(symbol.name);
    const isInterface = symbol.flags & ts.SymbolFlags.Interface && !isOptions;
    const types = [value, isInterface ? checker.getDeclaredTypeOfSymbol(symbol) : undefined];
    const members = types.flatMap((type) => (type === undefined ? [] : checker.getPropertiesOfType(type)));
    return [
      ...own,
      ...[...new Set(members)]
        .filter(isOurs)
        .flatMap((member) => named(`${symbol.name}.${member.name}`, member, checker.getTypeOfSymbol(member))),
    ];
  });
}

function section({ title, symbol, owner, signatures }: Callable, documented: Set<string>) {
  const options = new Map<string, ts.Symbol>();
  for (const parameter of signatures.flatMap((signature) => signature.getParameters())) {
    for (const option of optionsIn(parameter)) if (isNewOrBetter(option)) options.set(option.name, option);
  }
  /** Overloads that do not take an option declare it as `undefined`. */
  function isNewOrBetter(option: ts.Symbol): boolean {
    const known = options.get(option.name);
    return known === undefined || typeOf(known) === 'undefined';
  }
  /** By every overload that takes options. */
  function isRequired(name: string): boolean {
    const lists = signatures
      .map((signature) => signature.getParameters().flatMap(optionsIn))
      .filter((list) => list.length > 0);
    return lists.every((list) =>
      list.some((one) => one.name === name && !(one.flags & ts.SymbolFlags.Optional)),
    );
  }
  const key = `${symbol.name}(${[...options.keys()]})`;
  // Every object with events has the same `on`.
  if (options.size === 0 || documented.has(key) || symbol.name === 'once') return undefined;
  if (symbol.name === 'on' && owner.name !== 'SecretStore') return undefined;
  documented.add(key);
  const comment = ts.displayPartsToString(symbol.getDocumentationComment(checker));
  const [first = ''] = comment.replace(/\s+/g, ' ').split(/(?<=\.) (?=[A-Z])/, 1);
  const codes = codesOf([symbol, owner].map(commentOf).join(' '));
  const rows = [...options.values()].map((option) => row(symbol, option, isRequired(option.name)));
  const thrown = codes.length === 0 ? '' : `Codes: ${codes.map(link).join(', ')}.\n\n`;
  const about = first === '' ? '' : `${first}\n\n`;
  const table = ['| option and type | default and range | meaning |', '| --- | --- | --- |', ...rows];
  return `### \`${title}\`\n\n${about}${thrown}${table.join('\n')}\n`;
}

function row(callable: ts.Symbol, option: ts.Symbol, isRequired: boolean): string {
  const comment = ts.displayPartsToString(option.getDocumentationComment(checker)).replace(/\s+/g, ' ');
  const written = /\bDefault: (.+?)(?=\.(?:\s|$)|, because| \(|$)/.exec(comment)?.[1];
  const said = written?.replace(/[`']/g, '');
  const declared = declarations.find(option.name, [...filesOf(callable), ...filesOf(option)], said);
  const value = declared?.fallback;
  const fallback =
    value === undefined ? (written ?? '') : code(typeof value === 'number' ? grouped(value) : `${value}`);
  const required = isRequired ? ' (required)' : '';
  const meaning = comment
    .replace(/ ?Default: [^.(,]+\.(?=\s|$)/, '')
    .replace(/`([A-Z][A-Z0-9]+_[A-Z0-9_]+)`/g, (_, name: string) => link(name));
  const cells = [
    `\`${option.name}\`${required}<br>${code(shortened(typeOf(option)))}`,
    [fallback, rangeOf(declared)].filter((text) => text !== '').join('<br>'),
    meaning,
  ];
  return `| ${cells.map((cell) => cell.replace(/(?<!\\)\|/g, '\\|')).join(' | ')} |`;
}

function rangeOf(declared: Declared | undefined): string {
  if (declared?.least === undefined) return '';
  const least = grouped(declared.least);
  return declared.most === undefined ? `${least} or more` : `${least} to ${grouped(declared.most)}`;
}

/** The options that a parameter takes. `secret.tls` takes an alias with options, or a pair. */
function optionsIn(parameter: ts.Symbol): ts.Symbol[] {
  const type = checker.getNonNullableType(checker.getTypeOfSymbol(parameter));
  if (!takesOptions(parameter, type)) return [];
  const types = type.isUnion() ? type.types : [type];
  const isText = (one: ts.Type) => (one.flags & ts.TypeFlags.StringLike) !== 0;
  return types
    .filter((one) => !isText(one))
    .flatMap((one) => checker.getPropertiesOfType(one))
    .filter(isOurs);
}

function takesOptions(parameter: ts.Symbol, type: ts.Type): boolean {
  if (type.getCallSignatures().length > 0 || type.flags & ts.TypeFlags.StringLike) return false;
  const name = (type.aliasSymbol ?? type.symbol)?.name ?? '';
  return /options$|^parts$|^fault$|^attributes$|^facts$/i.test(parameter.name) || /Options$/.test(name);
}

function typeOf(option: ts.Symbol): string {
  const type = checker.getNonNullableType(checker.getTypeOfSymbol(option));
  const isChoice = type.isUnion() && type.types.every((one) => one.isStringLiteral());
  if (isChoice) return type.types.map((one) => `'${(one as ts.StringLiteralType).value}'`).join(' | ');
  const declaration = option.declarations?.[0];
  const node =
    declaration !== undefined && ts.isPropertySignature(declaration) ? declaration.type : undefined;
  return (node?.getText() ?? checker.typeToString(type)).replace(/\s+/g, ' ').replace(/ \| undefined$/, '');
}

function shortened(text: string): string {
  return text.length > 90 ? `${text.slice(0, 87)}…` : text;
}

function commentOf(symbol: ts.Symbol): string {
  const tags = symbol.getJsDocTags(checker).filter(({ name }) => name === 'throws');
  return [symbol.getDocumentationComment(checker), ...tags.map(({ text }) => text)]
    .map((parts) => ts.displayPartsToString(parts))
    .join(' ');
}

const known = new Set(
  [...readFileSync(join(source, 'errors.ts'), 'utf8').matchAll(/^ {2}([A-Z0-9_]+): '/gm)].map(
    ([, code]) => code,
  ),
);

function codesOf(comment: string): string[] {
  const named = Array.from(comment.matchAll(/`([A-Z][A-Z0-9_]+)`/g), ([, name]) => name as string);
  return [...new Set(named)].filter((name) => known.has(name));
}

function link(name: string): string {
  return known.has(name) ? `[\`${name}\`](../errors.md#${name.toLowerCase()})` : `\`${name}\``;
}

function code(text: string): string {
  return text === '' ? '' : `\`${text}\``;
}

function grouped(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, '\u00a0');
}

function resolved(symbol: ts.Symbol): ts.Symbol {
  return symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
}

function filesOf(symbol: ts.Symbol): string[] {
  return (symbol.declarations ?? []).map((one) => one.getSourceFile().fileName);
}

function isOurs(symbol: ts.Symbol): boolean {
  return filesOf(symbol).some((file) => resolve(dirname(file)).startsWith(source));
}

if (process.argv[1] !== undefined && basename(process.argv[1]) === 'reference.ts') {
  const page = configurationPage();
  if (!process.argv.includes('--check')) writeFileSync(target, page);
  else if (readFileSync(target, 'utf8') !== page) {
    throw new Error('docs/reference/configuration.md is old: run "npx tsx scripts/reference.ts".');
  }
}
