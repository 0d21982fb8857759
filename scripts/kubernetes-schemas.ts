// npx tsx scripts/kubernetes-schemas.ts VERSION FOLDER: writes test/support/kubernetes-schemas/VERSION.json from the published
// types of that version of Kubernetes. FOLDER is an unpacked @kubernetes/client-node or @pulumi/kubernetes.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';

/** The kinds that examples/aks consists of. */
const KINDS: Readonly<Record<string, string>> = {
  Namespace: 'v1',
  ServiceAccount: 'v1',
  ConfigMap: 'v1',
  Service: 'v1',
  Deployment: 'apps/v1',
  PodDisruptionBudget: 'policy/v1',
  NetworkPolicy: 'networking.k8s.io/v1',
};

type Schema = Readonly<Record<string, unknown>>;
/** Finds a type by the name that other types use for it. */
type Types = (name: string) => ts.InterfaceDeclaration | ts.ClassDeclaration;

const [version, folder] = process.argv.slice(2);
if (version === undefined || folder === undefined) throw new Error('Pass a version and a folder.');
const isPulumi = existsSync(join(folder, 'types/input.d.ts'));
const typeOf = isPulumi ? pulumiTypes(folder) : clientTypes(folder);
const definitions = new Map<string, { readonly from: string; schema?: Schema }>();

for (const [kind, apiVersion] of Object.entries(KINDS)) {
  const group = apiVersion.includes('/') ? apiVersion.split(/[./]/, 1)[0] : 'core';
  define(isPulumi ? `inputs.${group}.v1.${kind}` : `V1${kind}`);
  const { properties, required } = definitions.get(kind)?.schema ?? {};
  Object.assign(definitions.get(kind) ?? {}, {
    schema: {
      type: 'object',
      additionalProperties: false,
      properties: { ...(properties as Schema), apiVersion: { const: apiVersion }, kind: { const: kind } },
      required: ['apiVersion', 'kind', 'metadata', ...((required as string[] | undefined) ?? [])],
    },
  });
}

const rows = [...definitions]
  .sort(([a], [b]) => (a < b ? -1 : 1))
  .map(([name, { schema }]) => `    ${JSON.stringify(name)}: ${JSON.stringify(schema)}`);
const comment = `Kubernetes ${version}, made by scripts/kubernetes-schemas.ts from its published types. Apache-2.0: see LICENSE.`;
writeFileSync(
  `test/support/kubernetes-schemas/${version}.json`,
  `{\n  "$comment": ${JSON.stringify(comment)},\n  "$defs": {\n${rows.join(',\n')}\n  }\n}\n`,
);

/** Adds the definition of a type and of those that it refers to. Returns a reference to it. */
function define(from: string): Schema {
  const name = from
    .replace(/^inputs\.\w+\.v\w+\./, '')
    .replace(/^([A-Z]\w+?)?V\d+((alpha|beta)\d+)?(?=[A-Z])/, '');
  const known = definitions.get(name);
  if (known !== undefined && known.from !== from) throw new Error(`${known.from} and ${from} have one name.`);
  if (known === undefined) {
    const definition: { from: string; schema?: Schema } = { from };
    definitions.set(name, definition);
    definition.schema = schemaOfMembers(typeOf(from).members);
  }
  return { $ref: `#/$defs/${name}` };
}

function schemaOfMembers(members: ts.NodeArray<ts.TypeElement | ts.ClassElement>): Schema {
  const properties: Record<string, Schema> = {};
  const required: string[] = [];
  for (const member of members) {
    const isStatic = ts.canHaveModifiers(member) && ts.getModifiers(member) !== undefined;
    const isProperty = ts.isPropertySignature(member) || ts.isPropertyDeclaration(member);
    if (!isProperty || isStatic || member.type === undefined) continue;
    // Words of JavaScript have an underscore: `_exec`.
    const name = member.name.getText().replaceAll(/^'?_?|'$/g, '');
    properties[name] = schemaOfType(member.type);
    if (member.questionToken === undefined) required.push(name);
  }
  return {
    type: 'object',
    additionalProperties: false,
    properties,
    ...(required.length > 0 && { required }),
  };
}

function schemaOfType(type: ts.TypeNode): Schema {
  if (ts.isUnionTypeNode(type)) {
    const given = type.types.filter(({ kind }) => kind !== ts.SyntaxKind.UndefinedKeyword);
    const parts = [...new Map(given.map(schemaOfType).map((part) => [JSON.stringify(part), part])).values()];
    return parts.length === 1 ? (parts[0] as Schema) : { anyOf: parts };
  }
  if (ts.isArrayTypeNode(type)) return { type: 'array', items: schemaOfType(type.elementType) };
  if (ts.isTypeLiteralNode(type)) {
    const [index] = type.members;
    if (index === undefined || !ts.isIndexSignatureDeclaration(index)) throw new Error(type.getText());
    return { type: 'object', additionalProperties: schemaOfType(index.type) };
  }
  if (ts.isLiteralTypeNode(type)) return { const: (type.literal as ts.StringLiteral).text };
  if (ts.isTypeReferenceNode(type)) return referenceOf(type);
  switch (type.kind) {
    case ts.SyntaxKind.StringKeyword:
      return { type: 'string' };
    case ts.SyntaxKind.NumberKeyword:
      return { type: 'integer' };
    case ts.SyntaxKind.BooleanKeyword:
      return { type: 'boolean' };
    case ts.SyntaxKind.ObjectKeyword:
      return { type: 'object' };
    default:
      return {};
  }
}

function referenceOf(type: ts.TypeReferenceNode): Schema {
  const name = type.typeName.getText();
  const [argument] = type.typeArguments ?? [];
  if (name === 'pulumi.Input' && argument !== undefined) return schemaOfType(argument);
  if (name === 'Array' && argument !== undefined) return { type: 'array', items: schemaOfType(argument) };
  if (/^(Date$|V1MicroTime$|enums\.)/.test(name)) return { type: 'string' };
  if (name === 'IntOrString') return { anyOf: [{ type: 'integer' }, { type: 'string' }] };
  return define(name);
}

/** One file, with a namespace for each group and version. */
function pulumiTypes(from: string): Types {
  const found = new Map<string, ts.InterfaceDeclaration>();
  const walk = (node: ts.Node, path: string): void => {
    if (ts.isInterfaceDeclaration(node)) found.set(`${path}.${node.name.text}`, node);
    else if (ts.isModuleDeclaration(node))
      ts.forEachChild(node, (child) => walk(child, `${path}.${node.name.text}`));
    else if (ts.isModuleBlock(node) || ts.isSourceFile(node))
      ts.forEachChild(node, (child) => walk(child, path));
  };
  walk(parse(join(from, 'types/input.d.ts')), 'inputs');
  return (name) => found.get(name) ?? missing(name);
}

/** One file for each class. */
function clientTypes(from: string): Types {
  const models = join(from, 'dist/gen/models');
  const files = new Set(readdirSync(models));
  return (name) => {
    if (!files.has(`${name}.d.ts`)) return missing(name);
    return parse(join(models, `${name}.d.ts`)).statements.find(ts.isClassDeclaration) ?? missing(name);
  };
}

function parse(file: string): ts.SourceFile {
  return ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest, true);
}

function missing(name: string): never {
  throw new Error(`${folder} has no type ${name}.`);
}
