import { type ExpiringEvent, SecretStore, secret } from 'hot-secrets';
import { describe, expect, it, vi } from 'vitest';
import { createAuthority } from '../support/certificates';
import { aMinuteAgo, startVault } from '../support/key-vault-clients';
import { openStore, sourceOf } from '../support/key-vault-stage';
import { createPfx } from '../support/pfx';

const DAY_MS = 86_400_000;
/** The vault's clock counts whole seconds. */
const NOW = Math.floor(Date.now() / 1000) * 1000;
const inDays = (days: number) => new Date(NOW + days * DAY_MS);

describe('the attributes of a secret in a vault', () => {
  it('shows version, content type, dates and tags of a vault secret on its box', async () => {
    const vault = await startVault();
    const attributes = {
      contentType: 'text/plain',
      expiresOn: inDays(90),
      notBefore: inDays(-1),
      tags: { user: 'app', rotated: 'by hand' },
    };
    const version = await vault.set('key', 'value', attributes);
    await vault.set('bare', 'value');
    const { store } = await openStore({ key: 'key', bare: 'bare' }, sourceOf(vault));
    expect(store.get('key')).toMatchObject({
      source: 'key-vault',
      version,
      origin: `${vault.vaultUrl}/secrets/key/${version}`,
    });
    const createdOn = expect.any(Date);
    expect(store.get('key').attributes).toEqual({ ...attributes, createdOn });
    expect(store.get('bare').attributes).toEqual({ createdOn, tags: {} });
  });

  it('serves an expired vault secret as degraded, and the last one until the next is valid', async () => {
    const vault = await startVault();
    await aMinuteAgo(async () => {
      await vault.set('old', 'value-a', { expiresOn: inDays(-1) });
      await vault.set('new', 'value-b');
    });
    const { store, log } = await openStore({ old: 'old', new: 'new' }, sourceOf(vault));
    await vault.set('new', 'value-c', { notBefore: inDays(1) });
    await store.refresh();
    expect([store.reveal('old'), store.reveal('new')]).toEqual(['value-a', 'value-b']);
    expect(store.health()).toMatchObject({
      status: 'degraded',
      secrets: [
        { name: 'old', problem: 'VALUE_EXPIRED' },
        { name: 'new', problem: 'VALUE_NOT_YET_VALID' },
      ],
    });
    expect(log.codes()).toEqual(['VALUE_NOT_YET_VALID']);
    await vault.update('new', { notBefore: inDays(-1) });
    await store.refresh();
    expect(store.reveal('new')).toBe('value-c');
  });

  it('treats a changed tag as a rotation, but not a changed date', async () => {
    const vault = await startVault();
    const version = await vault.set('key', 'value', { tags: { user: 'a' } });
    const { store, log } = await openStore({ key: 'key' }, sourceOf(vault));
    for (const user of ['b', 'c', 'd']) {
      await vault.update('key', { tags: { user } });
      await store.refresh({ trigger: user });
      expect(store.get('key').attributes.tags).toEqual({ user });
    }
    expect(log.changes.map(({ trigger }) => trigger)).toEqual(['b', 'c', 'd']);
    await vault.update('key', { expiresOn: inDays(10) });
    await store.refresh();
    expect(store.get('key')).toMatchObject({ version, attributes: { expiresOn: inDays(10) } });
    expect(log.changes).toHaveLength(3);
  });

  it('emits "expiring" once per threshold, until a new version arrives', async () => {
    const vault = await startVault();
    await aMinuteAgo(async () => {
      await vault.set('key', 'first', { expiresOn: inDays(9.5), notBefore: inDays(-100) });
      await vault.set('lasting', 'value', { expiresOn: inDays(300) });
    });
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const store = await SecretStore.open({
      secrets: { key: 'key', lasting: 'lasting' },
      sources: [sourceOf(vault)],
    });
    await using _ = store;
    // Before open() returns, there is no listener yet.
    expect(warned.mock.calls.map(([warning]) => String(warning))).toEqual([
      expect.stringContaining('in 9.5 days'),
    ]);
    warned.mockRestore();
    const events: ExpiringEvent[] = [];
    store.on('expiring', (event) => events.push(event));
    await vault.update('key', { expiresOn: inDays(6), notBefore: inDays(-100) });
    await store.refresh();
    await store.refresh();
    expect(events).toMatchObject([
      { name: 'key', what: 'secret', thresholdDays: 7, expiresAt: inDays(6), daysLeft: expect.closeTo(6, 1) },
    ]);
    expect(store.health().expiries.map(({ name }) => name)).toEqual(['key', 'lasting']);
    await vault.set('key', 'second');
    await store.refresh();
    expect(store.health().expiries.map(({ name }) => name)).toEqual(['lasting']);
    expect(events).toHaveLength(1);
  });
});

describe('a certificate of the vault', () => {
  it.each(['PEM', 'PFX'])(
    'decodes a vault certificate as TLS material in three rotations (%s)',
    async (format) => {
      const vault = await startVault();
      const authority = await createAuthority();
      const issue = async (commonName: string) => {
        const { chain, key } = await authority.issue({ commonName, key: 'rsa' });
        await vault.setCertificate('web', format === 'PEM' ? chain + key : createPfx({ cert: chain, key }));
      };
      await issue('shop 0');
      const { store, log } = await openStore({ web: secret.tls('web') }, sourceOf(vault));
      const subject = () => store.reveal('web').leaf.subject;
      expect(subject()).toContain('shop 0');
      for (const round of [1, 2, 3]) {
        await issue(`shop ${round}`);
        await store.refresh();
        expect(subject()).toContain(`shop ${round}`);
      }
      expect(store.get('web').attributes.contentType).toBe(
        format === 'PEM' ? 'application/x-pem-file' : 'application/x-pkcs12',
      );
      expect(log.errors).toEqual([]);
    },
  );

  it('keeps serving the previous certificate while the new one does not match its key', async () => {
    const vault = await startVault();
    const authority = await createAuthority();
    const [good, other] = [await authority.issue(), await authority.issue()];
    await vault.setCertificate('web', good.chain + good.key);
    const { store, log } = await openStore({ web: secret.tls('web') }, sourceOf(vault));
    const { fingerprint256 } = store.reveal('web').leaf;
    await vault.setCertificate('web', other.chain + good.key);
    await store.refresh();
    expect(log.codes()).toEqual(['PRIVATE_KEY_MISMATCH']);
    expect(store.reveal('web').leaf.fingerprint256).toBe(fingerprint256);
    await vault.setCertificate('web', other.chain + other.key);
    await store.refresh();
    expect(log.recovered.map(({ code }) => code)).toEqual(['PRIVATE_KEY_MISMATCH']);
  });
});
