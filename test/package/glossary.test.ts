import { readdirSync, readFileSync } from 'node:fs';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { docsPages } from './support/docs-pages';
import { fromRepository } from './support/repository';

/** Words in names that the glossary of CONTRIBUTING.md replaces. `lookup` is another word. */
const BANNED_WORDS = /^(looks?|renew\w+|took|mends?)$/;
const BANNED_NAMES = /^MOST_|[rR]evealAll|[sS]witchTo|[lL]etsIn|[bB]asicPassword/;

/** Words in -s that begin no name of a test: words that are not verbs, verbs that need another subject, and vague ones. */
const NOT_A_VERB = new Set(
  `is was has its this as plus less yes us thus across always perhaps sometimes unless whereas besides others
  secrets values listeners options errors works handles`.split(/\s+/),
);

/** The same in prose. Each pattern allows the everyday sense of its word. */
const BANNED_PHRASES: Readonly<Record<string, RegExp>> = {
  'look, for a refresh': /\b(looks?|looking)\b(?! (up|like|for|as if)\b)|\blooked (at|again)\b/gi,
  // A property of @fastify/cookie has that name.
  'renewal, for a rotation': /\brenew(?!:|`|ed certificate\b| a certificate\b| it (where|at)\b)\w*/gi,
  'rotated or renewed, for the event swapped': /\bon\('(rotated|renewed)'/g,
  'tookMs, for durationMs': /\btookMs\b/g,
  'revealAll, for revealWithPrevious': /\brevealAll\b/g,
  'basicPassword, for basicAuth': /\bbasicPassword\b/g,
  'lets in, for authorizes': /\blets? (\w+ )?in\b(?= (who|those|requests?)\b|[.:,;])|\bwho shows?\b/gi,
  'the removed entries': /hot-secrets\/(triggers|health|status)\b/g,
};

/** Phrases that read like a translation. Comments and messages do not use them. */
const STILTED_PHRASES: Readonly<Record<string, RegExp>> = {
  'is no, for is not a': /(?<!\bthere )\b(is|are|was|were) no (?!longer\b)/gi,
  'goes on, for continues': /\b(goes|go|going) on\b/gi,
  'mend, for fix': /\bmend(s|ed|ing)?\b/gi,
  'heed, for honour or observe': /\bheed(s|ed|ing)?\b/gi,
  'beside, for alongside or besides': /\bbeside\b/gi,
  'in place of, for instead of': /\bin place of\b/gi,
  'of what, for the thing itself': /\bof what\b/gi,
};

const read = (path: string) => readFileSync(fromRepository(path), 'utf8');

const sources = readdirSync(fromRepository('src'), { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts') && !file.endsWith('.generated.ts'))
  .map((file) => `src/${file}`);

/** Code outside of the package that people read too: they see its messages and comments. */
const surroundings = ['bench', 'examples', 'scripts', 'test/support'].flatMap((folder) =>
  readdirSync(fromRepository(folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.m?[tj]s$/.test(file) && !file.includes('node_modules'))
    .map((file) => `${folder}/${file}`),
);

const pages = [
  'README.md',
  'CHANGELOG.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  'SKILL.md',
  'llms.txt',
  ...docsPages,
];

describe('the public names of the package', () => {
  const names = publicNames();

  it('finds exports, options, events, channels and metrics among the public names', () => {
    const some = [
      'createPool',
      'drainTimeoutMs',
      'swapped',
      'hot-secrets:rotation:swap',
      'hot_secrets.resource.rotations',
    ];
    expect(names).toEqual(expect.arrayContaining(some));
    expect(names.length).toBeGreaterThan(500);
  });

  it('keeps to the glossary in public names', () => {
    const wrong = names.filter(
      (name) => BANNED_NAMES.test(name) || wordsOf(name).some((word) => BANNED_WORDS.test(word)),
    );
    expect(wrong).toEqual([]);
  });

  it('calls the event of a swap "swapped"', () => {
    const events = sources.flatMap((file) =>
      membersOf(file, /^(Rotation|Credential|Resource|Attach\w*)Events$/),
    );
    expect(events).toContain('swapped');
    expect(events).not.toContain('rotated');
  });
});

it.each(pages)('keeps to the glossary in %s', (page) => {
  expect(bannedIn(page, withoutGlossaryTable(read(page)))).toEqual([]);
});

it('keeps to the glossary in messages and comments', () => {
  expect(sources.flatMap((file) => bannedIn(file, read(file)))).toEqual([]);
});

it('keeps stilted phrases out of messages and comments', () => {
  const files = [...sources, ...surroundings];
  expect(files.flatMap((file) => bannedIn(file, read(file), STILTED_PHRASES))).toEqual([]);
});

it.each([
  ['the alias is no name', 1],
  ['there is no such link, and it is no longer read', 0],
  ['the old pool goes on; mend the source beside it', 3],
  ['it continues; fix the source, besides the listener', 0],
])('tells stilted phrases from plain ones: %s', (text, count) => {
  expect(bannedIn('page', text, STILTED_PHRASES)).toHaveLength(count);
});

it.each([
  ['it looks again later', 1],
  ['it is looked at again', 1],
  ['at the next look', 1],
  ['the renewal of a pool', 1],
  ['the pool is renewed', 1],
  ["pool.rotation.on('rotated', listener)", 1],
  ['lets in who shows a secret', 2],
  ['look up what was looked for: it looks like a path', 0],
  ['renew a certificate, or renew it where it is issued', 0],
])('distinguishes replaced words from their everyday sense: %s', (text, count) => {
  expect(bannedIn('page', text)).toHaveLength(count);
});

describe('the names of the tests', () => {
  const tests = readdirSync(fromRepository('test'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.d.ts'))
    .flatMap((file) => testNamesOf(`test/${file}`));

  it('begins each with a verb in the third person, as in "keeps the last value"', () => {
    expect(tests.length).toBeGreaterThan(800);
    expect(tests.filter(({ name }) => !beginsWithVerb(name)).map(({ at, name }) => `${at}: ${name}`)).toEqual(
      [],
    );
  });

  it.each([
    ['keeps a value', true],
    ['does not wait', true],
    ['re-reads a file', true],
    ['is refused', false],
    ['its values stay', false],
    ['may be repeated', false],
    ['a value', false],
    ['secrets', false],
    ['works', false],
    ['%s', false],
    ['Keeps a value', false],
  ])('distinguishes names that begin with a verb from others: "%s"', (name, expected) => {
    expect(beginsWithVerb(name)).toBe(expected);
  });
});

function bannedIn(file: string, text: string, phrases = BANNED_PHRASES): string[] {
  return Object.entries(phrases).flatMap(([rule, phrase]) =>
    [...text.matchAll(phrase)].map(({ index }) => {
      const line = text.slice(0, index).split('\n').length;
      return `${file}:${line}: ${rule}: ${text.slice(Math.max(0, index - 20), index + 30)}`;
    }),
  );
}

function beginsWithVerb(name: string): boolean {
  const [first] = name.split(/[ ,:]/, 1) as [string];
  return /^[a-z]+(-[a-z]+)?s$/.test(first) && !NOT_A_VERB.has(first);
}

/** The first argument of each call of `it`, `test` and what hangs on them: `it.each(rows)(name, …)`, `it.skipIf(…)(name, …)`. */
function testNamesOf(file: string): { at: string; name: string }[] {
  const found: { at: string; name: string }[] = [];
  visit(file, (node) => {
    if (!ts.isCallExpression(node) || !/^(it|test)$/.test(calleeOf(node))) return;
    const [title] = node.arguments;
    if (title === undefined || !(ts.isStringLiteralLike(title) || ts.isTemplateExpression(title))) return;
    const line = title.getSourceFile().getLineAndCharacterOfPosition(title.getStart()).line + 1;
    found.push({ at: `${file}:${line}`, name: title.getText().slice(1, -1) });
  });
  return found;
}

/** The identifier that a chain of calls and members begins with. */
function calleeOf(node: ts.Node): string {
  if (ts.isCallExpression(node) || ts.isPropertyAccessExpression(node)) return calleeOf(node.expression);
  if (ts.isTaggedTemplateExpression(node)) return calleeOf(node.tag);
  return ts.isIdentifier(node) ? node.text : '';
}

/** Without the rows that name the replaced words. */
function withoutGlossaryTable(text: string): string {
  return text.replace(/^\| say [\s\S]*?\n(?!\|)/m, '');
}

/** `lastRefreshAgeMs` and `hot_secrets.refresh.duration` as lower-case words. `lookUp` counts as one, as `lookup` does. */
function wordsOf(name: string): string[] {
  return name
    .replace(/lookUp/g, 'lookup')
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .toLowerCase()
    .split(/[^a-z0-9]+/);
}

/** Entries, exports, members of interfaces and types, declared options, channels and metrics. */
function publicNames(): string[] {
  const { exports } = JSON.parse(read('package.json')) as { exports: Record<string, unknown> };
  const found = new Set(Object.keys(exports));
  for (const file of sources) {
    visit(file, (node) => {
      if (ts.isExportSpecifier(node)) found.add(node.name.text);
      const isNamed =
        ts.isPropertySignature(node) || ts.isMethodSignature(node) || ts.isPropertyAssignment(node);
      if (isNamed && (ts.isIdentifier(node.name) || ts.isStringLiteral(node.name))) found.add(node.name.text);
      if (ts.isStringLiteral(node) && /^hot[-_]secrets[:.]/.test(node.text)) found.add(node.text);
      const isDeclared =
        ts.isFunctionDeclaration(node) ||
        ts.isClassDeclaration(node) ||
        ts.isInterfaceDeclaration(node) ||
        ts.isTypeAliasDeclaration(node) ||
        ts.isVariableDeclaration(node);
      if (isDeclared && node.name !== undefined && ts.isIdentifier(node.name)) found.add(node.name.text);
    });
  }
  return [...found];
}

/** The members of the interfaces of a file whose names match. */
function membersOf(file: string, name: RegExp): string[] {
  const members: string[] = [];
  visit(file, (node) => {
    if (!ts.isInterfaceDeclaration(node) || !name.test(node.name.text)) return;
    for (const member of node.members) if (member.name) members.push(member.name.getText());
  });
  return members;
}

function visit(file: string, each: (node: ts.Node) => void): void {
  const walk = (node: ts.Node): void => {
    each(node);
    ts.forEachChild(node, walk);
  };
  walk(ts.createSourceFile(file, read(file), ts.ScriptTarget.Latest, true));
}
