import { SecretStore, type Source } from 'hot-secrets';
import { describe, expect, it, vi } from 'vitest';

const never = () => new Promise<never>(() => {});

function sourceOf(parts: Partial<Source>): Source {
  return {
    name: 'slow',
    location: '',
    inventory: async () => [],
    async read({ lookups }) {
      const bytes = () => new TextEncoder().encode('v');
      const readings = lookups.map(
        ({ name }) => [name, { status: 'found', bytes: bytes(), origin: 'x' }] as const,
      );
      return { unchanged: false, revision: undefined, readings: new Map(readings) };
    },
    ...parts,
  };
}

describe('a source that never settles', () => {
  it.each<[string, Partial<Source>, string]>([
    [
      'its inventory',
      {
        inventory: never,
        read: async () => ({ unchanged: false, revision: undefined, readings: new Map() }),
      },
      'SECRET_MISSING',
    ],
    ['its open', { open: never }, 'SOURCE_FAILED'],
    ['its open, and its close', { open: never, close: never }, 'SOURCE_FAILED'],
  ])('rejects open within a bound when a source never settles %s', async (_what, parts, code) => {
    const opening = SecretStore.open({
      secrets: { a: 'a' },
      sources: [sourceOf(parts)],
      refreshTimeoutMs: 50,
    });
    await expect(opening).rejects.toMatchObject({ code });
  });

  it.each<[string, Partial<Source>]>([
    ['its close', { close: never }],
    ['the stop of its watch', { watch: () => never }],
  ])('closes within a bound, with a warning, when a source never settles %s', async (_what, parts) => {
    const store = await SecretStore.open({ secrets: { a: 'a' }, sources: [sourceOf(parts)] });
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    await store.close();
    expect(warn).toHaveBeenCalledWith(expect.stringContaining('closing a source failed'));
    warn.mockRestore();
  });
});
