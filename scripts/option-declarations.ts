import ts from 'typescript';

/** What a declaration such as `ms(30_000, { least: 10 })` says of an option. */
export interface Declared {
  readonly fallback: number | string | boolean | undefined;
  readonly least: number | undefined;
  readonly most: number | undefined;
}

interface Found extends Declared {
  readonly file: string;
}

export interface Declarations {
  /**
   * The declaration of an option: from these files if one of them has it, otherwise one with the default that its
   * comment says.
   * @throws if the comment and the code disagree.
   */
  find(option: string, files: readonly string[], said: string | undefined): Declared | undefined;
}

const NUMBERS = new Set(['ms', 'count', 'bytes']);
const OTHERS = new Set(['flag', 'text', 'oneOf']);

/** Reads every `name: ms(…)`, `count(…)`, `flag(…)`, `text(…)` and `oneOf(…)` below a folder. */
export function readDeclarations(program: ts.Program, folder: string): Declarations {
  const checker = program.getTypeChecker();
  const found = new Map<string, Found[]>();
  for (const file of program.getSourceFiles()) {
    if (!file.fileName.startsWith(folder)) continue;
    const visit = (node: ts.Node): void => {
      const name = nameOf(node);
      const declared = name === undefined ? undefined : declaredBy(node);
      if (name !== undefined && declared !== undefined) {
        found.set(name, [...(found.get(name) ?? []), { ...declared, file: file.fileName }]);
      }
      ts.forEachChild(node, visit);
    };
    visit(file);
  }

  /** `least: 10` in an object of options, or `const perTenSeconds = count(…)` that such an object names. */
  function nameOf(node: ts.Node): string | undefined {
    const isNamed = ts.isPropertyAssignment(node) || ts.isVariableDeclaration(node);
    return isNamed && ts.isIdentifier(node.name) ? node.name.text : undefined;
  }

  function declaredBy(node: ts.Node): Declared | undefined {
    const initializer = (node as ts.PropertyAssignment).initializer as ts.Expression | undefined;
    if (initializer === undefined) return undefined;
    const call = ts.isIdentifier(initializer) ? initializerOf(initializer) : initializer;
    if (call === undefined || !ts.isCallExpression(call) || !ts.isIdentifier(call.expression))
      return undefined;
    const { text } = call.expression;
    if (!NUMBERS.has(text) && !OTHERS.has(text)) return undefined;
    const [fallback, second] = call.arguments;
    const bounds = NUMBERS.has(text);
    const bound = (name: 'least' | 'most'): number | undefined => {
      if (second === undefined || !ts.isObjectLiteralExpression(second)) return undefined;
      const property = second.properties.find((one) => one.name?.getText() === name);
      return property !== undefined && ts.isPropertyAssignment(property)
        ? (constantOf(property.initializer) as number | undefined)
        : undefined;
    };
    const least = text === 'bytes' ? constantOf(second) : (bound('least') ?? 0);
    return {
      fallback: constantOf(fallback),
      least: bounds ? (least as number | undefined) : undefined,
      most: bounds ? bound('most') : undefined,
    };
  }

  function constantOf(node: ts.Expression | undefined): number | string | boolean | undefined {
    if (node === undefined) return undefined;
    if (ts.isNumericLiteral(node)) return Number(node.text.replaceAll('_', ''));
    if (ts.isStringLiteralLike(node)) return node.text;
    if (node.kind === ts.SyntaxKind.TrueKeyword) return true;
    if (node.kind === ts.SyntaxKind.FalseKeyword) return false;
    if (node.getText() === 'Number.POSITIVE_INFINITY') return Number.POSITIVE_INFINITY;
    if (ts.isBinaryExpression(node) && node.operatorToken.kind === ts.SyntaxKind.AsteriskToken) {
      return Number(constantOf(node.left)) * Number(constantOf(node.right));
    }
    if (ts.isIdentifier(node) || ts.isPropertyAccessExpression(node)) return constantOf(initializerOf(node));
    return undefined;
  }

  function initializerOf(node: ts.Expression): ts.Expression | undefined {
    const symbol = checker.getSymbolAtLocation(node);
    const target =
      symbol !== undefined && symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
    const declaration = target?.valueDeclaration;
    const isValue =
      declaration !== undefined &&
      (ts.isVariableDeclaration(declaration) || ts.isPropertyAssignment(declaration));
    return isValue ? declaration.initializer : undefined;
  }

  return {
    find(option, files, said) {
      const candidates = found.get(option) ?? [];
      const agrees = ({ fallback }: Declared) =>
        said !== undefined && plain(String(fallback)) === plain(said);
      const own = candidates.filter(({ file }) => files.includes(file));
      const declared = own.find(agrees) ?? own[0] ?? candidates.find(agrees);
      const isNumber = said !== undefined && !Number.isNaN(Number(plain(said)));
      if (isNumber && declared?.fallback !== undefined && !agrees(declared)) {
        throw new Error(`The comment of ${option} says ${said}, its declaration ${declared.fallback}.`);
      }
      return declared;
    },
  };
}

/** `30 000` and `1 MiB` as they stand in code. */
function plain(text: string): string {
  return text.replace(/[\s\u00a0,_]/g, '').replace('1MiB', '1048576');
}
