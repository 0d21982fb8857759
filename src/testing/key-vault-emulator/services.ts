import { randomUUID } from 'node:crypto';
import type { Jose } from '../../internal/peer';
import { AccessTokens } from './access-tokens';
import { Entra } from './entra';
import { Faults } from './faults';
import { signingKey } from './keys';
import { RateLimit } from './rate-limit';
import type { ReadOptions } from './read-options';
import type { SigningKey } from './signing-key';
import { Vault } from './vault';
import type { VaultContent } from './vault-content';
import { VaultReads } from './vault-reads';

/** The two hosts, and what is switched while they serve. */
export interface Services {
  readonly vault: Vault;
  readonly entra: Entra;
  readonly tokens: AccessTokens;
  readonly faults: Faults;
  /** Signs the federated tokens that Entra trusts. */
  readonly clusterKey: SigningKey;
}

/** Puts the vault and the tenant together: one gives out the tokens that the other one takes. */
export async function createServices(
  jose: Jose,
  read: ReadOptions,
  content: VaultContent,
): Promise<Services> {
  const { tenantId, clientId, clientSecret, lifetimeSeconds } = read;
  const [key, clusterKey] = await Promise.all([
    signingKey(jose, 'entra', randomUUID()),
    signingKey(jose, 'cluster', randomUUID()),
  ]);
  const faults = new Faults();
  const tokens = new AccessTokens(jose, key, tenantId);
  const tenant = { tenantId, clientId, clientSecret, lifetimeSeconds, key, cluster: clusterKey };
  const context = { name: read.vaultName, tenantId, caller: tokens.caller(clientId) };
  const limit = new RateLimit(read.perTenSeconds);
  const reads = new VaultReads(read.vaultUrl, content, read.paging);
  return {
    vault: new Vault(read.vaultHost, context, { tokens, limit, faults, reads }),
    entra: new Entra(jose, tenant, tokens, faults),
    tokens,
    faults,
    clusterKey,
  };
}
