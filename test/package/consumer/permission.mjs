// Runs permission-child.mjs with Node's permission model, which lets it read itself and node_modules alone.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { realpathSync } from 'node:fs';
import { join } from 'node:path';
import { createTestMount } from 'hot-secrets/testing';

const folder = realpathSync(import.meta.dirname);
const flag = process.allowedNodeEnvironmentFlags.has('--permission')
  ? '--permission'
  : '--experimental-permission';
const child = join(folder, 'permission-child.mjs');

/** What the child prints, with these sources, and with paths that it may read too. */
function run(sources, ...allowed) {
  const readable = [child, join(folder, 'node_modules'), join(folder, 'package.json'), ...allowed];
  const flags = [flag, '--no-warnings', ...readable.map((path) => `--allow-fs-read=${path}`)];
  const env = { API_TOKEN: 'of-the-environment', PATH: process.env.PATH };
  const printed = execFileSync(process.execPath, [...flags, child, ...sources], { encoding: 'utf8', env });
  return JSON.parse(printed);
}

assert.deepEqual(run(['environment']), { value: 'of-the-environment', events: [] });
assert.deepEqual(run(['default']), { value: 'of-the-environment', events: [] });
assert.deepEqual(run(['discovery']), { value: 'of-the-environment', events: [] });

const mount = await createTestMount({ 'api-token': 'of-the-mount', 'nested/password': 'value' });
try {
  const path = realpathSync(mount.path);
  const { code, next } = run(['mount', path]);
  assert.equal(code, 'MOUNT_UNREADABLE');
  assert.equal(next, `Start Node with --allow-fs-read=${path} too.`);
  assert.deepEqual(run(['mount', path], path), { value: 'of-the-mount', events: [] });
} finally {
  await mount.cleanup();
}
console.log('ok');
