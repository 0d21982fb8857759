import { EventEmitter } from 'node:events';
import { mountedFiles, SecretStore } from 'hot-secrets';
import { createTestMount } from 'hot-secrets/testing';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { record } from '../../../support/store-log';
import { waitFor } from '../../../support/wait-for';

const limits = vi.hoisted(() => ({ code: undefined as string | undefined, tries: 0 }));
const watchers = vi.hoisted(() => [] as { emit(event: 'error', error: Error): boolean }[]);

function refusal(): Error {
  return Object.assign(new Error('System limit for number of file watchers reached'), { code: limits.code });
}

vi.mock('../../../../src/internal/builtins', async (importOriginal) => {
  const builtins = await importOriginal<typeof import('../../../../src/internal/builtins')>();
  const fs = builtins.builtin('fs');
  const watch = (...args: Parameters<typeof fs.watch>) => {
    limits.tries += 1;
    if (limits.code !== undefined) throw refusal();
    const watcher = fs.watch(...args);
    watchers.push(watcher);
    return watcher;
  };
  const builtin = (name: 'fs') => (name === 'fs' ? { ...fs, watch } : builtins.builtin(name));
  return { ...builtins, builtin };
});

// Like the real one, it emits errors as events after `watch` has returned.
vi.mock('chokidar', async (importOriginal) => {
  const chokidar = await importOriginal<typeof import('chokidar')>();
  const watch = (...args: Parameters<typeof chokidar.watch>) => {
    limits.tries += 1;
    if (limits.code === undefined) return chokidar.watch(...args);
    const broken = Object.assign(new EventEmitter(), { close: async () => {} });
    setImmediate(() => broken.emit('error', refusal()));
    return broken;
  };
  return { ...chokidar, watch };
});

beforeEach(() => {
  limits.code = undefined;
  limits.tries = 0;
  watchers.length = 0;
});

describe.each(['kubernetes', 'plain'] as const)('a %s mount that cannot be watched', (layout) => {
  it(`polls a ${layout} mount that cannot be watched, reports that once, and watches it again later`, async () => {
    const said: Error[] = [];
    const onWarning = (warning: Error) => said.push(warning);
    process.on('warning', onWarning);
    limits.code = 'ENOSPC';
    await using mount = await createTestMount({ token: 'n0' }, { layout });
    await using store = await SecretStore.open({
      secrets: { token: 'token' },
      sources: [mountedFiles(mount.path, { pollIntervalMs: 20 })],
    });
    const problems = () => store.report().sources[0]?.problems ?? [];
    await waitFor(() => problems().length === 1);
    const log = record(store);
    expect(problems()[0]?.message).toMatch(/ENOSPC.*max_user_watches/);
    expect(store.health().status).toBe('degraded');

    for (const value of ['n1', 'n2', 'n3']) {
      await mount.rotate({ token: value });
      await waitFor(() => store.reveal('token') === value);
    }
    const tries = limits.tries;
    await waitFor(() => limits.tries > tries + 3, { what: 'further attempts to watch' });
    expect(log.changes.map(({ trigger }) => trigger)).toEqual(['poll', 'poll', 'poll']);
    expect([log.codes(), log.recovered]).toEqual([[], []]);
    process.off('warning', onWarning);
    expect(
      said.map((warning) => (warning as NodeJS.ErrnoException).code).filter(Boolean).length,
    ).toBeLessThan(2);

    limits.code = undefined;
    await waitFor(() => log.recovered.length === 1);
    expect(log.recovered[0]?.code).toBe('WATCH_UNAVAILABLE');
    const armed = limits.tries;
    await mount.rotate({ token: 'n4' });
    await waitFor(() => store.reveal('token') === 'n4');
    expect([store.health().status, limits.tries]).toEqual(['ok', armed]);
  });
});

describe('a watch that breaks while it runs', () => {
  it('reports a watch that breaks, and replaces it at the next refresh', async () => {
    await using mount = await createTestMount({ token: 'n0' });
    await using store = await SecretStore.open({
      secrets: { token: 'token' },
      sources: [mountedFiles(mount.path, { pollIntervalMs: 600_000 })],
    });
    const log = record(store);
    for (let round = 1; round <= 3; round += 1) {
      limits.code = 'EMFILE';
      watchers.at(-1)?.emit('error', refusal());
      expect(log.codes()).toEqual(Array(round).fill('WATCH_UNAVAILABLE'));
      limits.code = undefined;
      await store.refresh();
      expect(log.recovered).toHaveLength(round);
      await mount.rotate({ token: `n${round}` });
      await waitFor(() => store.reveal('token') === `n${round}`);
    }
    expect(log.errors[0]?.message).toMatch(/EMFILE.*max_user_instances/);
  });
});
