import { execFile, execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { createTestMount } from 'hot-secrets/testing';
import { describe, expect, it, onTestFinished } from 'vitest';

const CHILD = fileURLToPath(new URL('../support/subpath-child.ts', import.meta.url));

/** Whether this process may bind a file: that needs Linux, root, and a container that permits mounts. */
function canBind(): boolean {
  try {
    execFileSync('unshare', ['-m', 'true'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

describe.skipIf(!canBind())('a subPath mount', () => {
  it.each([
    ['before the first rotation', 'true'],
    ['after the first rotation deleted its target', 'rm -r "$1/$(readlink "$1/..data")"'],
  ])('serves a subPath mount with a warning that it never rotates (%s)', async (_when, after) => {
    await using mount = await createTestMount({ token: 'frozen' });
    const target = mkdtempSync(join(tmpdir(), 'hot-secrets-'));
    onTestFinished(() => rmSync(target, { recursive: true }));
    mkdirSync(join(target, 'app'));
    writeFileSync(join(target, 'app/token'), '');

    const script = `mount --bind "$1/token" "$2/token" && ${after} && "$3" --import tsx "$4" "$2"`;
    const args = ['-m', 'sh', '-c', script, 'sh', mount.path, join(target, 'app'), process.execPath, CHILD];
    const { stdout } = await promisify(execFile)('unshare', args, { timeout: 20_000 });
    const { value, status, codes, problems } = JSON.parse(stdout);

    expect([value, status, codes]).toEqual(['frozen', 'degraded', ['MOUNT_SUBPATH']]);
    expect(problems[0].message).toContain('a subPath mount never rotates');
    expect(problems[0].message).toContain(join(target, 'app/token'));
  });
});
