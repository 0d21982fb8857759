import { keyVault } from 'hot-secrets/key-vault';
import { describe, expect, it } from 'vitest';

const vaultUrl = 'https://shop.vault.azure.net';
const refused = (options: object) => {
  try {
    keyVault({ vaultUrl, ...options });
    return 'taken';
  } catch (error) {
    return (error as { code: string; message: string }).message;
  }
};

describe('options of a vault', () => {
  it('that are misspelt or out of range are refused', () => {
    expect(refused({ refreshIntervalMS: 1 })).toContain('Did you mean "refreshIntervalMs"?');
    expect(refused({ refreshIntervalMs: 999 })).toMatch(
      /keyVault: `refreshIntervalMs` must be .*1000 or more/,
    );
    for (const option of ['requestTimeoutMs', 'refreshTimeoutMs', 'startTimeoutMs', 'concurrency']) {
      expect(refused({ [option]: 0 })).toMatch(new RegExp(`keyVault: .${option}. must be .*1 or more`));
    }
    expect(refused({ concurrency: undefined, refreshIntervalMs: undefined })).toBe('taken');
  });

  it('need the https address of a vault', () => {
    for (const url of [undefined, '', 'shop', 'http://shop.vault.azure.net']) {
      expect(refused({ vaultUrl: url })).toContain('https://NAME.vault.azure.net');
    }
    expect(keyVault({ vaultUrl: `${vaultUrl}/` })).toMatchObject({ name: 'key-vault', location: vaultUrl });
  });
});
