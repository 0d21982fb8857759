import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { loadPeer } from '../../../src/internal/peer';

it('names a peer that is not installed, and the command that installs it', () => {
  expect(() => loadPeer('hot-secrets-no-such-package')).toThrow(
    expect.objectContaining({
      code: 'PEER_MISSING',
      next: 'Run: npm install hot-secrets-no-such-package',
    }),
  );
  expect(() => loadPeer('pg-connection-string', 'hot-secrets-no-such-package')).toThrow(
    expect.objectContaining({ code: 'PEER_MISSING', next: 'Run: npm install hot-secrets-no-such-package' }),
  );
});

it('finds a dependency of a peer where that peer finds it', () => {
  expect(loadPeer('pg-connection-string', 'pg')).toHaveProperty('parse');
});

it('passes on the error of an installed peer that lacks a dependency', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'hot-secrets-peer-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  const broken = join(directory, 'broken');
  await mkdir(broken);
  await writeFile(join(broken, 'index.js'), `require('hot-secrets-no-such-package');`);
  expect(() => loadPeer(broken)).toThrow(
    expect.objectContaining({
      code: 'MODULE_NOT_FOUND',
      message: expect.stringContaining('hot-secrets-no-such-package'),
    }),
  );
});
