import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { createTestMount } from 'hot-secrets/testing';
import { describe, expect, it } from 'vitest';
import { childFile } from '../support/child-file';
import { canBind, temporaryDirectory } from '../support/files';

const CHILD = fileURLToPath(new URL('../support/subpath-child.ts', import.meta.url));

describe.skipIf(!canBind())('a subPath mount', () => {
  it.each([
    ['before the first rotation', 'true'],
    ['after the first rotation deleted its target', 'rm -r "$1/$(readlink "$1/..data")"'],
  ])('serves a subPath mount with a warning that it never rotates (%s)', async (_when, after) => {
    await using mount = await createTestMount({ token: 'frozen' });
    const target = temporaryDirectory();
    mkdirSync(join(target, 'app'));
    writeFileSync(join(target, 'app/token'), '');

    const script = `mount --bind "$1/token" "$2/token" && ${after} && "$3" "$4" "$2"`;
    const args = [
      '-m',
      'sh',
      '-c',
      script,
      'sh',
      mount.path,
      join(target, 'app'),
      process.execPath,
      childFile(CHILD),
    ];
    const { stdout } = await promisify(execFile)('unshare', args, { timeout: 20_000 });
    const { value, status, codes, problems } = JSON.parse(stdout);

    expect([value, status, codes]).toEqual(['frozen', 'degraded', ['MOUNT_SUBPATH']]);
    expect(problems[0].message).toContain('a subPath mount never rotates');
    expect(problems[0].message).toContain(join(target, 'app/token'));
  });
});
