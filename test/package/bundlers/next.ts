import { spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { succeed } from '../support/repository';
import { sourceOf } from './programs';

interface Next {
  readonly tarball: string;
  readonly peers: readonly string[];
  readonly entries: readonly string[];
  readonly pairs: object;
  readonly record: (entry: string, column: string, run: () => Promise<string>) => Promise<void>;
}

const PACKAGES = ['next@^16', 'react@^19', 'react-dom@^19'];
const START_MS = 60_000;

/**
 * A Next.js application with a route for each entry: bundled, and with `serverExternalPackages`, both as the standalone
 * output, which is copied away from its node_modules.
 */
export async function runNext({ tarball, peers, entries, pairs, record }: Next): Promise<void> {
  // Nest is a server of its own, and runs in no route.
  const routes = entries.filter((entry) => entry !== 'nestjs');
  const project = mkdtempSync(join(tmpdir(), 'hot-secrets-next-'));
  try {
    writeFileSync(join(project, 'package.json'), JSON.stringify({ name: 'app', private: true }));
    const quiet = ['--prefer-offline', '--ignore-scripts', '--no-audit', '--no-fund', '--legacy-peer-deps'];
    await succeed('npm', ['install', ...quiet, tarball, ...peers, ...PACKAGES], { cwd: project });
    writeFileSync(join(project, 'next.config.mjs'), CONFIG);
    mkdirSync(join(project, 'app'), { recursive: true });
    writeFileSync(join(project, 'app/layout.js'), LAYOUT);
    for (const entry of routes) {
      const folder = join(project, 'app', entry);
      mkdirSync(folder, { recursive: true });
      writeFileSync(
        join(folder, 'program.mjs'),
        sourceOf(entry, true, pairs)
          .replaceAll('if (passed) await missing', 'if (false) await missing')
          .replaceAll('if (passed) {', 'if (false) {'),
      );
      writeFileSync(join(folder, 'route.js'), ROUTE);
    }
    for (const mode of ['bundled', 'external'] as const) {
      const env = { NEXT_TELEMETRY_DISABLED: '1', EXTERNAL: mode === 'external' ? '1' : '' };
      rmSync(join(project, '.next'), { recursive: true, force: true });
      const built = await succeed('npx', ['next', 'build'], { cwd: project, env }).then(
        () => undefined,
        (error: Error) => error,
      );
      const copy = mkdtempSync(join(tmpdir(), 'hot-secrets-standalone-'));
      try {
        if (built === undefined) cpSync(join(project, '.next/standalone'), copy, { recursive: true });
        const server = built ?? (await start(copy));
        if (server instanceof Error) console.log(server.message);
        for (const entry of routes) {
          await record(entry, `next ${mode} standalone`, async () => {
            if (server instanceof Error) throw new Error('see above');
            return (await fetch(`${server.url}/${entry}`)).text();
          });
        }
        if (!(server instanceof Error)) server.stop();
      } finally {
        rmSync(copy, { recursive: true, force: true });
      }
    }
  } finally {
    rmSync(project, { recursive: true, force: true });
  }
}

const CONFIG = `export default {
  output: 'standalone',
  serverExternalPackages: process.env.EXTERNAL ? ['hot-secrets'] : [],
};`;

const LAYOUT = `export default ({ children }) => <html><body>{children}</body></html>;`;

const ROUTE = `import { main } from './program.mjs';
export const dynamic = 'force-dynamic';
export async function GET() {
  return new Response(await main().catch((error) => String(error?.stack)));
}`;

/** Starts the server of a standalone output, and waits until it answers. */
async function start(folder: string): Promise<{ readonly url: string; stop(): void } | Error> {
  const port = 20_000 + Math.floor(Math.random() * 20_000);
  const child = spawn(process.execPath, ['server.js'], {
    cwd: folder,
    env: {
      PATH: process.env.PATH,
      PORT: String(port),
      HOSTNAME: '127.0.0.1',
    } as unknown as NodeJS.ProcessEnv,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  const url = `http://127.0.0.1:${port}`;
  const deadline = Date.now() + START_MS;
  while (Date.now() < deadline && child.exitCode === null) {
    try {
      await fetch(`${url}/no-such-page`);
      return { url, stop: () => void child.kill() };
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
  child.kill();
  return new Error(`the server did not start\n${output}`);
}
