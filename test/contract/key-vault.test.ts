import { keyVault } from 'hot-secrets/key-vault';
import { createKeyVaultEmulator, type SourceHarness, sourceContract } from 'hot-secrets/testing';
import { describe, it } from 'vitest';
import { aMinuteAgo } from '../support/key-vault-clients';

const emulated: SourceHarness = {
  binary: false,
  async create(values) {
    const vault = await createKeyVaultEmulator();
    await aMinuteAgo(async () => {
      for (const [name, value] of Object.entries(values)) await vault.set(name, String(value));
    });
    return {
      source: keyVault({ ...vault.options, list: true, refreshIntervalMs: 1_000, startTimeoutMs: 3_000 }),
      async set(changes) {
        await Promise.all(Object.entries(changes).map(([name, value]) => vault.set(name, String(value))));
      },
      async remove(...names) {
        await Promise.all(names.map((name) => vault.delete(name)));
      },
      failOne(name) {
        vault.fail({ kind: 'rbac', names: [name] });
      },
      failAll() {
        vault.fail({ kind: 'bad-json' });
      },
      hang() {
        vault.fail({ kind: 'hang-in-body' });
      },
      cleanup: () => vault.close(),
    };
  },
};

describe('keyVault with the emulator', () => {
  for (const one of sourceContract(emulated)) it(one.name, one.run);
});
