import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createTestMount } from 'hot-secrets/testing';
import { describe, expect, it } from 'vitest';
import { childFile } from '../support/child-file';

const CHILD = join(import.meta.dirname, '../support/open-and-leave.ts');

describe('a store that is never closed', () => {
  it.each(['kubernetes', 'plain'] as const)(
    'lets a process exit while a store on a %s mount is open',
    async (layout) => {
      await using mount = await createTestMount({ one: 'a' }, { layout });
      const run = promisify(execFile)(process.execPath, [childFile(CHILD), mount.path], {
        timeout: 20_000,
      });
      expect((await run).stdout.trim()).toBe('opened');
    },
  );
});
