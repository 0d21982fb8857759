import { mountedFiles, SecretStore, secret } from 'hot-secrets';
import { createTestMount } from 'hot-secrets/testing';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { waitFor } from '../support/wait-for';

describe.each(['kubernetes', 'plain'] as const)('values of every kind from a %s mount', (layout) => {
  it('keeps values of every kind intact through rotations and in older snapshots', async () => {
    const raw = (round: number) => Uint8Array.from({ length: 256 }, (_, index) => (index + round) % 256);
    const content = (round: number) => ({
      text: `text-${round}\n`,
      raw: raw(round),
      encoded: `${Buffer.from(raw(round)).toString('base64')}\n`,
      config: JSON.stringify({ round }),
    });
    await using mount = await createTestMount(content(0), { layout });
    await using store = await SecretStore.open({
      secrets: {
        text: 'text',
        raw: secret.bytes('raw'),
        encoded: secret.bytes('encoded', { encoding: 'base64' }),
        config: secret.json('config', z.object({ round: z.number() })),
      },
      sources: [mountedFiles(mount.path, { pollIntervalMs: 600_000 })],
    });
    const snapshots = [store.snapshot()];
    for (let round = 1; round <= 3; round += 1) {
      await mount.rotate(content(round));
      await waitFor(() => store.reveal('config').round === round);
      snapshots.push(store.snapshot());
    }
    for (const [round, snapshot] of snapshots.entries()) {
      expect(snapshot.reveal('text')).toBe(`text-${round}`);
      expect(snapshot.reveal('raw')).toEqual(raw(round));
      expect(snapshot.reveal('encoded')).toEqual(raw(round));
      expect(snapshot.reveal('config')).toEqual({ round });
    }
  });
});
