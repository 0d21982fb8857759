import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { childFile } from '../support/child-file';
import { canBind, temporaryDirectory } from '../support/files';
import { waitFor } from '../support/wait-for';

const CHILD = fileURLToPath(new URL('../support/bind-child.ts', import.meta.url));

interface State {
  readonly value: string | undefined;
  readonly errors: string[];
  readonly recovered: string[];
  readonly triggers: string[];
  readonly status: string;
}

/** Starts a process whose `app/NAME` is a bind mount of `host/NAME`, in a mount namespace of its own. */
async function startBound(
  name: string,
  make: (path: string) => void,
  mode: 'declared' | 'discovery' = 'declared',
) {
  const base = temporaryDirectory();
  for (const side of ['host', 'app']) {
    mkdirSync(join(base, side));
    make(join(base, side, name));
  }
  writeFileSync(join(base, 'app/other'), 'o');
  const target = join(base, 'app', name);
  const script = 'mount --bind "$1" "$2" && exec "$3" "$4" "$5" $6';
  const root = name === 'token' ? join(base, 'app') : target;
  const list = mode === 'discovery' ? 'list' : '';
  const args = [
    '-m',
    'sh',
    '-c',
    script,
    'sh',
    join(base, 'host', name),
    target,
    process.execPath,
    childFile(CHILD),
    root,
    list,
  ];
  const child: ChildProcess = spawn('unshare', args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  await once(child, 'message');
  const state = async (): Promise<State> => {
    child.send('state');
    const [said] = await once(child, 'message');
    return said as State;
  };
  return { host: join(base, 'host'), target, state };
}

describe.skipIf(!canBind())('a mount of single files', () => {
  it.each(['declared', 'discovery'] as const)(
    'warns at open that a file is mounted by itself, follows it in place, and reports its replacement (%s)',
    async (mode) => {
      const { host, target, state } = await startBound('token', (path) => writeFileSync(path, 'n0'), mode);
      expect(await state()).toMatchObject({ value: 'n0', errors: [expect.stringContaining(target)] });
      expect((await state()).errors[0]).toMatch(/^MOUNT_SINGLE_FILE: .*Mount the directory that contains it/);
      for (const value of ['n1', 'n2', 'n3']) {
        writeFileSync(join(host, 'token'), value);
        await waitFor(async () => (await state()).value === value);
      }
      expect((await state()).triggers).toContain('watch');
      writeFileSync(join(host, 'next'), 'n4');
      renameSync(join(host, 'next'), join(host, 'token'));
      await waitFor(async () => (await state()).errors.length > 1);
      const { value, errors, status } = await state();
      expect([value, status, errors.length]).toEqual(['n3', 'degraded', 2]);
      expect(errors[1]).toMatch(/^MOUNT_REPLACED: .*was replaced or removed on the host/);
      expect(errors[1]).toContain(target);
    },
  );

  it('reports that a mounted directory was removed on the host, and warns of nothing before', async () => {
    const { host, target, state } = await startBound('secrets', (path) => {
      mkdirSync(path);
      writeFileSync(join(path, 'token'), 'n0');
    });
    expect(await state()).toMatchObject({ value: 'n0', errors: [], status: 'ok' });
    rmSync(join(host, 'secrets'), { recursive: true });
    mkdirSync(join(host, 'secrets'));
    writeFileSync(join(host, 'secrets/token'), 'n1');
    await waitFor(async () => (await state()).errors.some((error) => error.startsWith('MOUNT_REPLACED')));
    const { value, errors } = await state();
    expect([value, errors.join().includes(target)]).toEqual(['n0', true]);
  });
});
