import { randomUUID } from 'node:crypto';
import { type Faults, faultyVaultResponse } from './faults';
import { type Host, type HostRequest, type HostResponse, header } from './server';
import type { AccessTokens } from './tokens';
import { REGION, throttled, type VaultContext } from './vault-errors';
import { secretOf, type VaultReads } from './vault-reads';

/** The parts of a vault. */
export interface VaultParts {
  readonly tokens: AccessTokens;
  readonly limit: RateLimit;
  readonly faults: Faults;
  readonly reads: VaultReads;
}

/** The vault as its clients see it: it checks the token, then the rate limit, then the faults, and only then reads. */
export class Vault implements Host {
  readonly name: string;
  readonly #context: VaultContext;
  readonly #tokens: AccessTokens;
  readonly #limit: RateLimit;
  readonly #faults: Faults;
  readonly #reads: VaultReads;

  constructor(name: string, context: VaultContext, { tokens, limit, faults, reads }: VaultParts) {
    this.name = name;
    this.#context = context;
    this.#tokens = tokens;
    this.#limit = limit;
    this.#faults = faults;
    this.#reads = reads;
  }

  headers(request: HostRequest): Record<string, string> {
    const clientRequestId = header(request, 'x-ms-client-request-id');
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

  async respond(request: HostRequest): Promise<HostResponse> {
    const refused = await this.#tokens.refuse(header(request, 'authorization'));
    if (refused !== undefined) return refused;
    if (this.#limit.exceeded(Date.now())) return throttled();
    const secret = secretOf(request.url);
    const respond = () => this.#reads.respond(request.method, request.url);
    const fault = this.#faults.take('vault', secret);
    return fault === undefined ? respond() : faultyVaultResponse(fault, respond, this.#context, secret);
  }
}

const WINDOW_MS = 10_000;

/** Counts requests in windows of ten seconds. A request opens the next window. */
export class RateLimit {
  readonly #max: number;
  #openedAt = Number.NEGATIVE_INFINITY;
  #count = 0;

  constructor(perTenSeconds: number) {
    this.#max = perTenSeconds;
  }

  /** Counts one request, and tells whether it exceeds the limit. */
  exceeded(now: number): boolean {
    if (now - this.#openedAt >= WINDOW_MS) {
      this.#openedAt = now;
      this.#count = 0;
    }
    this.#count += 1;
    return this.#count > this.#max;
  }
}
