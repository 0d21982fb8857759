import { keyVault } from 'hot-secrets/key-vault';
import { createKeyVaultEmulator, type SourceHarness, sourceContract } from 'hot-secrets/testing';
import { describe, it } from 'vitest';

const emulated: SourceHarness = {
  binary: false,
  async create(values) {
    const secrets = Object.fromEntries(Object.entries(values).map(([name, value]) => [name, String(value)]));
    const vault = await createKeyVaultEmulator({ secrets });
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
