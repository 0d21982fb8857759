import { mountedFiles, SecretStore } from 'hot-secrets';
import { createTestMount, nextEvent } from 'hot-secrets/testing';
import { afterEach, describe, expect, it, vi } from 'vitest';

afterEach(() => {
  vi.useRealTimers();
});

describe.each(['kubernetes', 'plain'] as const)('a %s mount', (layout) => {
  it.each(['real', 'fake'])('is read and watched, with %s timers', async (timers) => {
    if (timers === 'fake') vi.useFakeTimers();
    await using mount = await createTestMount({ 'api-key': 'first' }, { layout });
    await using secrets = await SecretStore.open({
      secrets: { apiKey: 'api-key' },
      sources: [mountedFiles(mount.path, { pollIntervalMs: 600_000 })],
    });
    for (const value of ['second', 'third', 'fourth']) {
      const changed = nextEvent(secrets, 'change');
      await mount.rotate({ 'api-key': value });
      expect((await changed).trigger).toBe('watch');
      expect(secrets.reveal('apiKey')).toBe(value);
    }
    await mount.rotate({ 'api-key': 'fifth' });
    await secrets.refresh();
    expect(secrets.reveal('apiKey')).toBe('fifth');
  });
});
