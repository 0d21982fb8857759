import type { Agent } from 'node:https';
import { loadPeer } from '../../internal/peer';
import type { SecretAttributes } from '../../secret/attributes';
import { untilAborted } from './bounded-work';
import { type ClientOptions, clientOptions, createAgent } from './connections';
import { createCredential, workloadIdentityOf } from './credentials';
import { identityError, type WorkloadIdentity } from './identity-errors';
import { TokenCache, type TokenCredential } from './token-cache';
import { isThrottled, isUnauthorized, retryAfterMs } from './vault-errors';

/** One version of a secret. */
export interface VaultSecret {
  readonly name: string;
  readonly version: string;
  readonly bytes: Uint8Array;
  readonly attributes: SecretAttributes;
  /** When this version was written or changed, by the vault's clock, to the second. */
  readonly updatedAt: number;
  /** The vault's clock when it answered. */
  readonly answeredAt: number;
}

export interface VaultClientOptions {
  readonly vaultUrl: string;
  readonly credential?: TokenCredential;
  readonly workloadIdentity?: WorkloadIdentity;
  readonly requestTimeoutMs: number;
  readonly agent?: Agent;
  /** For the constructor of `SecretClient`. */
  readonly clientOptions?: object;
  /** The vault said that it gets too many requests, and perhaps how long to wait. */
  onThrottled(retryAfterMs: number | undefined): void;
}

/** The part of `SecretClient` that is used. */
interface SecretClient {
  getSecret(name: string, options: object): Promise<KeyVaultSecret>;
  listPropertiesOfSecrets(): AsyncIterable<{ readonly name: string; readonly enabled?: boolean }>;
}

interface KeyVaultSecret {
  readonly name: string;
  readonly value?: string;
  readonly properties: {
    readonly version?: string;
    readonly contentType?: string;
    readonly expiresOn?: Date;
    readonly notBefore?: Date;
    readonly updatedOn?: Date;
    readonly tags?: Readonly<Record<string, string>>;
  };
}

interface Peer {
  readonly SecretClient: new (vaultUrl: string, credential: TokenCredential, options: object) => SecretClient;
}

/** The real client, with bounds that it lacks: every request has a deadline, and no retry or refresh of its own. */
export class VaultClient {
  readonly #client: SecretClient;
  readonly #tokens: TokenCache;
  readonly #agent = createAgent();
  readonly #closing = new AbortController();
  readonly #onThrottled: (retryAfterMs: number | undefined) => void;

  /** @throws `PEER_MISSING`, `IDENTITY_MISSING`. */
  constructor({ vaultUrl, credential, requestTimeoutMs: timeoutMs, ...options }: VaultClientOptions) {
    this.#onThrottled = options.onThrottled;
    const closing = this.#closing.signal;
    const shared = clientOptions({ timeoutMs, closing, given: options.agent, own: this.#agent });
    const identity = credential === undefined ? workloadIdentityOf(options.workloadIdentity) : undefined;
    this.#tokens = new TokenCache({
      create: () => credential ?? createCredential(identity, shared),
      timeoutMs,
      closing,
      explain: (error) => identityError(error, identity),
    });
    const { SecretClient } = loadPeer<Peer>('@azure/keyvault-secrets');
    const further = options.clientOptions as Partial<ClientOptions> | undefined;
    const policies = [...(further?.additionalPolicies ?? []), ...shared.additionalPolicies];
    this.#client = new SecretClient(vaultUrl, this.#tokens, {
      ...further,
      ...shared,
      additionalPolicies: policies,
    });
  }

  /** The newest version, or the given one. Rejects with what the client throws. */
  get(name: string, version: string | undefined, signal: AbortSignal): Promise<VaultSecret> {
    return this.#ask(() => this.#get(name, version, signal));
  }

  /** The names of all secrets that are enabled. */
  list(signal: AbortSignal): Promise<string[]> {
    return this.#ask(() => this.#list(signal));
  }

  close(): void {
    this.#closing.abort();
    this.#agent.destroy();
  }

  async #ask<T>(request: () => Promise<T>): Promise<T> {
    try {
      return await this.#withNewToken(request);
    } catch (error) {
      if (isThrottled(error)) this.#onThrottled(retryAfterMs(error, Date.now()));
      throw error;
    }
  }

  /** Where the vault refuses the token: the client would send the same one again. */
  async #withNewToken<T>(request: () => Promise<T>): Promise<T> {
    try {
      return await request();
    } catch (error) {
      if (!isUnauthorized(error)) throw error;
      this.#tokens.drop();
      return request();
    }
  }

  async #list(signal: AbortSignal): Promise<string[]> {
    const names: string[] = [];
    const pages = this.#client.listPropertiesOfSecrets()[Symbol.asyncIterator]();
    for (;;) {
      const { done, value } = await untilAborted(signal, () => pages.next());
      if (done) return names;
      if (value.enabled !== false) names.push(value.name);
    }
  }

  async #get(name: string, version: string | undefined, signal: AbortSignal): Promise<VaultSecret> {
    let answeredAt = Date.now();
    const secret = await untilAborted(signal, (abortSignal) =>
      this.#client.getSecret(name, {
        ...(version === undefined ? {} : { version }),
        abortSignal,
        onResponse: ({ headers }: { headers: { get(name: string): string | undefined } }) => {
          answeredAt = Date.parse(headers.get('date') ?? '') || answeredAt;
        },
      }),
    );
    const { contentType, expiresOn, notBefore, tags, updatedOn, version: found } = secret.properties;
    // Of an answer without a body the client makes an empty object, or throws.
    if (typeof secret.value !== 'string') throw new TypeError('an answer without a value');
    return {
      name: secret.name,
      version: found ?? '',
      bytes: new TextEncoder().encode(secret.value),
      attributes: {
        ...(contentType === undefined ? {} : { contentType }),
        ...(expiresOn === undefined ? {} : { expiresOn }),
        ...(notBefore === undefined ? {} : { notBefore }),
        tags: { ...tags },
      },
      updatedAt: updatedOn?.getTime() ?? 0,
      answeredAt,
    };
  }
}
