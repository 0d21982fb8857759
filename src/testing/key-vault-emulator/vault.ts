import { randomUUID } from 'node:crypto';
import type { AccessTokens } from './access-tokens';
import { type Answer, type Asked, header, type Service } from './answer';
import type { Faults } from './faults';
import { faultyVaultAnswer } from './faulty-answers';
import type { RateLimit } from './rate-limit';
import { REGION, throttled, type VaultContext } from './vault-errors';
import { secretOf, type VaultReads } from './vault-reads';

/** What a vault is made of. */
export interface VaultParts {
  readonly tokens: AccessTokens;
  readonly limit: RateLimit;
  readonly faults: Faults;
  readonly reads: VaultReads;
}

/** The vault as its clients see it: the challenge, the token, the limit, the faults, and then the secrets. */
export class Vault implements Service {
  readonly host: string;
  readonly #context: VaultContext;
  readonly #tokens: AccessTokens;
  readonly #limit: RateLimit;
  readonly #faults: Faults;
  readonly #reads: VaultReads;

  constructor(host: string, context: VaultContext, { tokens, limit, faults, reads }: VaultParts) {
    this.host = host;
    this.#context = context;
    this.#tokens = tokens;
    this.#limit = limit;
    this.#faults = faults;
    this.#reads = reads;
  }

  headers(asked: Asked): Record<string, string> {
    const clientRequestId = header(asked, 'x-ms-client-request-id');
    return {
      'Cache-Control': 'no-cache',
      Pragma: 'no-cache',
      Expires: '-1',
      'x-ms-keyvault-region': REGION,
      ...(clientRequestId === undefined ? {} : { 'x-ms-client-request-id': clientRequestId }),
      'x-ms-request-id': randomUUID(),
      'x-ms-keyvault-service-version': '1.9.0.0',
      'x-ms-keyvault-network-info': 'conn_type=Ipv4;addr=127.0.0.1;act_addr_fam=InterNetwork;',
      'X-Content-Type-Options': 'nosniff',
      'Strict-Transport-Security': 'max-age=31536000;includeSubDomains',
    };
  }

  async answer(asked: Asked): Promise<Answer> {
    const refused = await this.#tokens.refuse(header(asked, 'authorization'));
    if (refused !== undefined) return refused;
    if (this.#limit.exceeded(Date.now())) return throttled();
    const secret = secretOf(asked.url);
    const real = () => this.#reads.answer(asked.method, asked.url);
    const fault = this.#faults.take('vault', secret);
    return fault === undefined ? real() : faultyVaultAnswer(fault, real, this.#context, secret);
  }
}
