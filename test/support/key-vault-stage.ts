import { readFileSync } from 'node:fs';
import { inspect } from 'node:util';
import { type Definitions, SecretStore, type Source } from 'hot-secrets';
import { type KeyVaultOptions, keyVault } from 'hot-secrets/key-vault';
import type { KeyVaultEmulator } from 'hot-secrets/testing';
import { expect, onTestFinished, vi } from 'vitest';
import { record } from './store-log';

/** The source under test, which sends its requests to the emulator. */
export function sourceOf(vault: KeyVaultEmulator, options: Partial<KeyVaultOptions> = {}): Source {
  return keyVault({ ...vault.options, ...options });
}

/** Opens a store with a record of its events, and closes it when the test ends. */
export async function openStore<D extends Definitions>(secrets: D, ...sources: readonly Source[]) {
  const store = await SecretStore.open({ secrets, sources });
  onTestFinished(() => store.close());
  return { store, log: record(store) };
}

/** The error with which `open` rejects. */
export async function refusal(secrets: Definitions, ...sources: readonly Source[]) {
  return SecretStore.open({ secrets, sources }).then(
    async (store) => {
      await store.close();
      throw new Error('The store opened.');
    },
    (error) => error,
  );
}

/** The requests since this call, as `token 200`, `api-key 401` or `list 200`. */
export function requestsOf(vault: KeyVaultEmulator): { readonly all: string[]; at(what: string): number } {
  const before = vault.requests.length;
  const own = () =>
    vault.requests.slice(before).map(({ path, status }) => {
      const [first, second] = path.split('/').slice(1);
      const what = first !== 'secrets' ? 'token' : second || 'list';
      return `${what} ${status ?? 'no answer'}`;
    });
  return {
    get all() {
      return own();
    },
    at: (what) => own().filter((one) => one.startsWith(what)).length,
  };
}

/** Expects that `said` holds no value, no token and no part of the pod's assertion. */
export function expectNothingSecret(vault: KeyVaultEmulator, values: readonly string[], said: unknown): void {
  const shown = inspect(said, { showHidden: true, depth: 20, getters: true, maxStringLength: null });
  const text = `${shown}\n${JSON.stringify(said)}`;
  for (const value of values) expect(text).not.toContain(value);
  const assertion = readFileSync(vault.workloadIdentity.tokenFilePath, 'utf8').split('.');
  for (const part of assertion) if (part.length > 8) expect(text).not.toContain(part);
  // Every JWT begins with it.
  expect(text).not.toContain('eyJ');
}

/** Makes every random part small until the test ends: sources retry after a hundredth of their backoff. */
export function retryQuickly(): void {
  const real = Math.random;
  const spy = vi.spyOn(Math, 'random').mockImplementation(() => real() / 100);
  onTestFinished(() => spy.mockRestore());
}
