import { type KeyVaultOptions, keyVault } from 'hot-secrets/key-vault';
import { describe, expect, it } from 'vitest';

const vaultUrl = 'https://shop.vault.azure.net';
const refusalOf = (options: unknown) => {
  try {
    keyVault(options as KeyVaultOptions);
  } catch (error) {
    const { code, message } = error as { code: string; message: string };
    return `${code}: ${message}`;
  }
  return 'accepted';
};
const refusalWith = (options: object) => refusalOf({ vaultUrl, ...options });

describe('options of a vault', () => {
  it('refuses vault options that are misspelt or out of range', () => {
    expect(refusalWith({ refreshIntervalMS: 1 })).toContain('Did you mean "refreshIntervalMs"?');
    expect(refusalWith({ refreshIntervalMs: 999 })).toBe(
      'OPTION_INVALID: keyVault: `refreshIntervalMs` must be a duration in milliseconds, 1000 or more, not that number. Fix it, or leave it out for the default (900000).',
    );
    for (const option of ['requestTimeoutMs', 'refreshTimeoutMs', 'startTimeoutMs', 'concurrency']) {
      expect(refusalWith({ [option]: 0 })).toMatch(new RegExp(`keyVault: .${option}. must be .*1 or more`));
    }
    expect(refusalWith({ list: 'yes' })).toContain('`list` must be true or false');
    expect(refusalWith({ credential: 'secret' })).toContain('`credential` must be a credential');
    expect(refusalWith({ workloadIdentity: { clientID: 'id' } })).toContain('Did you mean "clientId"?');
    expect(refusalWith({ concurrency: undefined, refreshIntervalMs: undefined })).toBe('accepted');
  });

  it('requires the https address of a vault', () => {
    for (const url of [undefined, '', 'shop', 'http://shop.vault.azure.net']) {
      expect(refusalWith({ vaultUrl: url })).toContain('https://NAME.vault.azure.net');
    }
    expect(keyVault({ vaultUrl: `${vaultUrl}/` })).toMatchObject({ name: 'key-vault', location: vaultUrl });
  });

  it('refuses vault options that are not an object, and shows how to write them', () => {
    for (const [given, kind] of [
      [undefined, 'undefined'],
      [null, 'null'],
      [vaultUrl, 'a string'],
    ]) {
      expect(refusalOf(given)).toBe(
        `OPTION_INVALID: the options of keyVault must be an object with vaultUrl, not ${kind}. Write keyVault({ vaultUrl: 'https://NAME.vault.azure.net' }).`,
      );
    }
  });
});
