import { rmSync } from 'node:fs';
import { createTestMount } from 'hot-secrets/testing';
import { afterAll, expect, it } from 'vitest';
import { fromRepository, succeed } from './support/repository';

// Distinct from anything that the program itself contains.
const MOUNTED = `mounted-${process.pid}-hunter2`;
const VARIABLE = `variable-${process.pid}-hunter2`;

const mounts: string[] = [];
afterAll(() => {
  for (const path of mounts) rmSync(path, { recursive: true, force: true });
});

it('finds a mounted value in a heap dump alone, and a variable in the environment of the process and in reports too', async () => {
  const mount = await createTestMount({ mounted: MOUNTED });
  mounts.push(mount.path);
  const child = fromRepository('test/support/memory-child.ts');
  const printed = await succeed(process.execPath, ['--import', 'tsx', child, mount.path], {
    env: { VARIABLE_SECRET: VARIABLE },
  });
  const linux = process.platform === 'linux' ? ['environ'] : [];
  expect(JSON.parse(printed)).toEqual({
    mounted: ['heap'],
    variable: ['heap', 'report', ...linux],
  });
}, 60_000);
