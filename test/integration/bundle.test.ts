import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { build } from 'tsup';
import { expect, it, onTestFinished } from 'vitest';

const root = resolve(import.meta.dirname, '../..');

const MAIN = `
import { auditAccess, memory, SecretStore } from 'ROOT/src/index';
import { instrumentSecrets } from 'ROOT/src/opentelemetry/index';
import { createPool } from 'ROOT/src/adapters/pg/index';

async function main() {
  const store = await SecretStore.open({ secrets: { one: 'one' }, sources: [memory({ one: 'value-of-one' })] });
  instrumentSecrets(store);
  const audit = auditAccess(store, { callers: true });
  store.reveal('one');
  const pool = createPool(store, (s) => ({ password: s.reveal('one') }));
  await pool.end();
  console.log(audit.report().secrets[0].reads, typeof createPool);
  await store.close();
}
main();
`;

it('runs in a CommonJS bundle without import.meta.url', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'hot-secrets-bundle-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  await writeFile(join(directory, 'main.ts'), MAIN.replaceAll('ROOT', root));
  await build({
    config: false,
    entry: [join(directory, 'main.ts')],
    outDir: join(directory, 'dist'),
    format: ['cjs'],
    platform: 'node',
    target: 'node20',
    external: ['pg', '@opentelemetry/api', 'jose', 'chokidar'],
    noExternal: [],
    splitting: false,
    silent: true,
  });
  // Peers and dependencies resolve from the working directory.
  const options = {
    cwd: root,
    encoding: 'utf8',
    env: { ...process.env, NODE_PATH: join(root, 'node_modules') },
  } as const;
  expect(execFileSync(process.execPath, [join(directory, 'dist/main.cjs')], options)).toBe('2 function\n');
});
