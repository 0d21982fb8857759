import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { rotating } from '../../../src/rotation/rotating';
import { childFile } from '../../support/child-file';
import { waitFor } from '../../support/wait-for';
import { harness } from './harness';

const CHILD = fileURLToPath(new URL('./ready-child.ts', import.meta.url));

describe('the first resource', () => {
  it('rejects ready after readyTimeoutMs, and serves the resource once a later build succeeds', async () => {
    const { start, make, of } = await harness();
    let works = false;
    const resource = start(
      {
        build: (s) => {
          if (works) return make(s);
          throw new Error('not yet');
        },
      },
      { readyTimeoutMs: 50 },
    );
    await expect(resource.ready).rejects.toMatchObject({ code: 'BUILD_FAILED' });
    expect(() => resource.current).toThrow(expect.objectContaining({ code: 'BUILD_FAILED' }));
    await expect(resource.use(() => {})).rejects.toMatchObject({ code: 'BUILD_FAILED' });

    works = true;
    await waitFor(() => resource.current);
    expect(of('swapped')[0]).toMatchObject({ previousGeneration: undefined });
  });

  it('builds the first resource again from the next generation while there is none', async () => {
    const { start, rotate, make } = await harness();
    const resource = start(
      {
        build: (s) => {
          if (s.generation === 1) throw new Error('read nothing yet');
          return make(s);
        },
      },
      { retryBaseMs: 1e9, retryMaxMs: 1e9 },
    );
    await rotate({ other: 'o2' });
    expect(await resource.ready).toMatchObject({ generation: 2 });
  });

  it('rejects ready at once when the store closes, and refuses a closed store', async () => {
    const { start, secrets } = await harness();
    const resource = start(
      {
        build: async () => {
          await secrets.close();
          throw new Error('too late');
        },
      },
      { readyTimeoutMs: 1e9 },
    );
    await expect(resource.ready).rejects.toMatchObject({ code: 'STORE_CLOSED' });
    expect(() => rotating(secrets, { build: () => 1 })).toThrow(
      expect.objectContaining({ code: 'STORE_CLOSED' }),
    );
  });

  it('keeps the process alive only while somebody waits for the first resource', () => {
    const run = (...args: string[]) =>
      spawnSync(process.execPath, [childFile(CHILD), ...args], { encoding: 'utf8', timeout: 20_000 });
    expect(run('wait')).toMatchObject({ stdout: 'ready\n', status: 0 });
    expect(run()).toMatchObject({ stdout: '', status: 0 });
  });
});

describe('the options of a rotating resource', () => {
  it('suggests the right spelling of a rotation option, and refuses one below its bound', async () => {
    const { secrets } = await harness();
    const build = () => 1;
    expect(() => rotating(secrets, { build }, { drainTimeoutMS: 1 } as never)).toThrow(
      expect.objectContaining({ code: 'OPTION_UNKNOWN', next: 'Did you mean "drainTimeoutMs"?' }),
    );
    expect(() => rotating(secrets, { build }, { retryBaseMs: -1 })).toThrow(
      expect.objectContaining({ code: 'OPTION_INVALID' }),
    );
  });

  it('uses the defaults of rotation options that are undefined', async () => {
    const { secrets } = await harness();
    await using resource = rotating(
      secrets,
      {
        build: () => {
          throw new Error('never');
        },
      },
      { name: undefined, drainTimeoutMs: undefined, readyTimeoutMs: 0 } as never,
    );
    resource.on('rejected', () => {});
    await expect(resource.ready).rejects.toMatchObject({ what: expect.stringContaining('new resource') });
  });
});
