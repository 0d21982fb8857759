import { environment, secret } from 'hot-secrets';
import { describe, expect, it } from 'vitest';
import { startVault } from '../support/key-vault-clients';
import { openStore, refusal, requestsOf } from '../support/key-vault-stage';
import { simulateTime } from '../support/simulated-time';

describe('a dead vault', () => {
  it('rejects open when a dead vault is above the environment, and keeps the values of a running store', async () => {
    const vault = await startVault({ secrets: { key: 'of the vault' } });
    const { during, sourceOf } = simulateTime(vault);
    const variables = environment({ KEY: 'of the environment' });
    const lift = vault.fail({ kind: 'unavailable' });
    expect(await during(refusal({ key: 'key' }, sourceOf(), variables))).toMatchObject({
      code: 'VAULT_UNAVAILABLE',
    });
    lift();
    const { store, log } = await during(openStore({ key: 'key' }, sourceOf(), variables));
    vault.fail({ kind: 'unavailable' });
    await during(store.refresh());
    expect(store.reveal('key')).toBe('of the vault');
    expect(log.codes()).toEqual(['VAULT_UNAVAILABLE']);
    expect(log.errors[0]?.next).toContain('Values that were read before stay in use');
  });

  it('opens a store when a dead vault is below the environment, if all required names are variables', async () => {
    const vault = await startVault({ secrets: { key: 'of the vault' } });
    const { during, sourceOf } = simulateTime(vault);
    const variables = environment({ KEY: 'of the environment' });
    const requests = requestsOf(vault);
    vault.fail({ kind: 'unavailable' });
    const { store } = await during(
      openStore({ key: 'key', more: secret.text('more').optional() }, variables, sourceOf()),
    );
    expect(store.reveal('key')).toBe('of the environment');
    expect(store.health().status).toBe('degraded');
    const before = requests.at('key 503');
    await during(store.refresh());
    expect(requests.at('key 503')).toBe(before);
    expect(await during(refusal({ key: 'key', more: 'more' }, variables, sourceOf()))).toMatchObject({
      code: 'VAULT_UNAVAILABLE',
    });
  });
});
