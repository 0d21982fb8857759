/**
 * Makes the CJS build out of the files of the ESM build: only imports and exports change. Two files that differ in so little
 * compress to the size of one in the tarball.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { compileFunction } from 'node:vm';
import ts from 'typescript';

interface Change {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** Writes `dist/cjs/*.js`, without `except`. */
export function writeCjs(except: readonly string[]): void {
  const files = readdirSync('dist').filter((file) => file.endsWith('.js') && !except.includes(file));
  const imports = new Map<string, string[]>();
  mkdirSync('dist/cjs', { recursive: true });
  for (const file of files) {
    const source = ts.createSourceFile(
      file,
      readFileSync(`dist/${file}`, 'utf8'),
      ts.ScriptTarget.Latest,
      true,
    );
    imports.set(file, importedFiles(source));
    writeFileSync(`dist/cjs/${file}`, toCjs(source));
  }
  assertNoCycle(imports);
}

/** The CJS form of an ES module. No function may assign to an export, because the importing file copies its value. */
export function toCjs(source: ts.SourceFile): string {
  const exported = new Map<string, string>();
  const changes: Change[] = [];
  const change = (node: ts.Node, text: string) =>
    changes.push({ start: node.getStart(), end: node.getEnd(), text });
  for (const statement of source.statements) {
    if (ts.isImportDeclaration(statement)) change(statement, required(statement));
    else if (ts.isExportDeclaration(statement)) change(statement, exportsOf(statement, exported));
    else if (isOtherExport(statement)) throw unsupported(statement);
  }
  const locals = new Set(exported.values());
  const visit = (node: ts.Node, inFunction: boolean): void => {
    if (ts.isMetaProperty(node)) throw unsupported(node);
    if (inFunction && assigned(node).some((name) => locals.has(name))) throw unsupported(node);
    if (isOwnImport(node))
      change(node, `Promise.resolve().then(()=>require(${node.arguments[0].getText()}))`);
    ts.forEachChild(node, (child) => visit(child, inFunction || ts.isFunctionLike(node)));
  };
  visit(source, false);
  const properties = Array.from(exported, ([name, local]) => (name === local ? name : `${name}:${local}`));
  const code = `"use strict";${applied(changes, source.text).trimEnd()}\nmodule.exports={${properties.join(',')}};\n`;
  // Fails for what only ES modules can contain, and where two declarations have the same name.
  compileFunction(code, ['exports', 'require', 'module', '__filename', '__dirname'], {
    filename: source.fileName,
  });
  return code;
}

/** `import{a as b}from"x"` becomes `const{a:b}=require("x")`. The default export of Node's modules is what `require` returns. */
function required({ importClause, moduleSpecifier }: ts.ImportDeclaration): string {
  const call = `require(${moduleSpecifier.getText()});`;
  if (importClause === undefined) return call;
  const { name, namedBindings } = importClause;
  const isNodes = ts.isStringLiteral(moduleSpecifier) && isBuiltin(moduleSpecifier.text);
  if (namedBindings === undefined && isNodes) return `const ${name?.text}=${call}`;
  if (name !== undefined || namedBindings === undefined || !ts.isNamedImports(namedBindings)) {
    throw unsupported(importClause);
  }
  return `const{${pattern(namedBindings.elements)}}=${call}`;
}

/** Adds the names to `exported`, where each has the name of its local binding. Returns what to write instead. */
function exportsOf(statement: ts.ExportDeclaration, exported: Map<string, string>): string {
  const { exportClause, moduleSpecifier } = statement;
  if (exportClause === undefined || !ts.isNamedExports(exportClause)) throw unsupported(statement);
  for (const { name, propertyName } of exportClause.elements) {
    exported.set(name.text, moduleSpecifier === undefined ? (propertyName ?? name).text : name.text);
  }
  if (moduleSpecifier === undefined) return '';
  return `const{${pattern(exportClause.elements)}}=require(${moduleSpecifier.getText()});`;
}

function pattern(elements: ts.NodeArray<ts.ImportSpecifier | ts.ExportSpecifier>): string {
  return elements
    .map(({ name, propertyName }) => (propertyName === undefined ? '' : `${propertyName.text}:`) + name.text)
    .join(',');
}

/** `import()` of an own file becomes `require`: Jest, among others, does not support `import()` by default. */
function isOwnImport(node: ts.Node): node is ts.CallExpression & { arguments: [ts.StringLiteral] } {
  if (!ts.isCallExpression(node) || node.expression.kind !== ts.SyntaxKind.ImportKeyword) return false;
  const [file] = node.arguments;
  return file !== undefined && ts.isStringLiteral(file) && file.text.startsWith('./');
}

function isOtherExport(statement: ts.Statement): boolean {
  if (ts.isExportAssignment(statement)) return true;
  const modifiers = ts.canHaveModifiers(statement) ? ts.getModifiers(statement) : undefined;
  return modifiers?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword) === true;
}

/** The variables to which an expression assigns. */
function assigned(node: ts.Node): string[] {
  const { FirstAssignment, LastAssignment } = ts.SyntaxKind;
  if (ts.isBinaryExpression(node)) {
    const { kind } = node.operatorToken;
    return kind >= FirstAssignment && kind <= LastAssignment ? targets(node.left) : [];
  }
  if (ts.isPrefixUnaryExpression(node) || ts.isPostfixUnaryExpression(node)) {
    const { PlusPlusToken, MinusMinusToken } = ts.SyntaxKind;
    return node.operator === PlusPlusToken || node.operator === MinusMinusToken ? targets(node.operand) : [];
  }
  const loop = ts.isForOfStatement(node) || ts.isForInStatement(node);
  return loop && !ts.isVariableDeclarationList(node.initializer) ? targets(node.initializer) : [];
}

/** The identifiers in an assignment pattern, and those of its default values, which are refused all the same. */
function targets(node: ts.Node): string[] {
  if (ts.isIdentifier(node)) return [node.text];
  if (ts.isPropertyAccessExpression(node) || ts.isElementAccessExpression(node)) return [];
  const found: string[] = [];
  ts.forEachChild(node, (child) => void found.push(...targets(child)));
  return found;
}

function importedFiles(source: ts.SourceFile): string[] {
  return source.statements.flatMap((statement) => {
    if (!ts.isImportDeclaration(statement) && !ts.isExportDeclaration(statement)) return [];
    const from = statement.moduleSpecifier;
    return from !== undefined && ts.isStringLiteral(from) && from.text.startsWith('./')
      ? [from.text.slice(2)]
      : [];
  });
}

/** In a cycle, a file would copy values that its import does not have yet. */
function assertNoCycle(imports: ReadonlyMap<string, readonly string[]>): void {
  const checked = new Set<string>();
  const visit = (file: string, path: readonly string[]): void => {
    if (path.includes(file))
      throw new Error(`Files of the build import each other: ${[...path, file].join(' > ')}`);
    if (checked.has(file)) return;
    for (const other of imports.get(file) ?? []) visit(other, [...path, file]);
    checked.add(file);
  };
  for (const file of imports.keys()) visit(file, []);
}

function applied(changes: readonly Change[], code: string): string {
  let result = '';
  let position = 0;
  for (const { start, end, text } of [...changes].sort((a, b) => a.start - b.start)) {
    result += code.slice(position, start) + text;
    position = end;
  }
  return result + code.slice(position);
}

function unsupported(node: ts.Node): Error {
  const source = node.getSourceFile();
  const { line } = source.getLineAndCharacterOfPosition(node.getStart());
  return new Error(`${source.fileName}:${line + 1} has no CJS form here: ${node.getText().slice(0, 80)}`);
}
