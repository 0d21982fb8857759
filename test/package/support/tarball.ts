import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, relative } from 'node:path';
import { createAuthority } from '../../support/certificates';
import { fromRepository, repository, succeed } from './repository';

const CACHE = fromRepository('.tmp/package');
const NOT_STAGED = new Set(['node_modules', '.git', '.tmp', 'dist', 'coverage', 'demo-report']);
const KEPT_MS = 3_600_000;
/** Files and folders that go into the tarball. */
const INPUTS = ['src', 'scripts', 'package.json', 'tsconfig.json', 'tsup.config.ts'];
const DOCUMENTS = ['README.md', 'SECURITY.md', 'CHANGELOG.md', 'LICENSE', 'SKILL.md', 'llms.txt'];

/**
 * The package as npm would publish it. It is built and packed in a copy of the work tree, which leaves `dist` alone and
 * contains nothing stale. Runs share one build until one of its input files changes.
 */
export async function packedTarball(): Promise<string> {
  const tarball = join(CACHE, `hot-secrets-${fingerprint()}.tgz`);
  if (existsSync(tarball)) return tarball;
  mkdirSync(CACHE, { recursive: true });
  const stage = mkdtempSync(join(CACHE, 'stage-'));
  try {
    const staged = (path: string) => !NOT_STAGED.has(basename(path));
    for (const entry of readdirSync(repository).filter(staged)) {
      cpSync(join(repository, entry), join(stage, entry), { recursive: true, filter: staged });
    }
    const printed = await succeed('npm', ['pack', '--json'], { cwd: stage });
    const { filename } = lastJson(printed)[0] as { filename: string };
    prune();
    renameSync(join(stage, filename), tarball);
    return tarball;
  } finally {
    rmSync(stage, { recursive: true, force: true });
  }
}

/** An empty folder outside the repository, with the tarball and `packages` installed. */
export async function installedConsumer(tarball: string, packages: readonly string[]): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'hot-secrets-consumer-'));
  const quiet = ['--prefer-offline', '--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock'];
  // Without --prefix, npm searches for a package.json further up.
  const install = ['install', '--prefix', folder, '--legacy-peer-deps', ...quiet, tarball, ...packages];
  await succeed('npm', install, { cwd: folder });
  cpSync(fromRepository('test/package/consumer'), folder, { recursive: true });
  writeFileSync(join(folder, 'pairs.json'), JSON.stringify(await certificates()));
  return folder;
}

/** Two certificates of one authority, for consumers: the package does not contain the code that issues them. */
async function certificates() {
  const authority = await createAuthority();
  return { ca: authority.cert, pairs: [await authority.issue(), await authority.issue()] };
}

/** Deletes old tarballs only, because another run may still use a recent one. */
function prune(): void {
  for (const file of readdirSync(CACHE).map((name) => join(CACHE, name))) {
    if (Date.now() - statSync(file).mtimeMs > KEPT_MS) rmSync(file, { recursive: true, force: true });
  }
}

function fingerprint(): string {
  const hash = createHash('sha256');
  for (const file of [...INPUTS, ...DOCUMENTS].flatMap((input) => filesBelow(fromRepository(input)))) {
    hash.update(`${relative(repository, file)}\0`).update(readFileSync(file));
  }
  return hash.digest('hex').slice(0, 16);
}

function filesBelow(path: string): string[] {
  if (!existsSync(path)) return [];
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path)
    .sort()
    .flatMap((name) => filesBelow(join(path, name)));
}

/** Skips what the build prints before the JSON of npm. */
function lastJson(text: string): unknown[] {
  return JSON.parse(text.slice(text.lastIndexOf('\n[') + 1)) as unknown[];
}
