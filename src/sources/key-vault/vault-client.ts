import type { Agent } from 'node:https';
import { type ModuleWith, peer } from '../../internal/peer';
import type { SecretAttributes } from '../../secret/attributes';
import { assertEntraAnswer, assertVaultAnswer } from './answers';
import { type ClientOptions, Connections, untilAborted } from './connections';
import {
  type AzureIdentityModule,
  createCredential,
  DEVELOPER_TIMEOUT_MS,
  TokenCache,
  type TokenCredential,
  type WorkloadIdentity,
  workloadIdentityOf,
} from './credentials';
import { identityError, tokenTimeout } from './identity-errors';
import { isThrottled, isUnauthorized, retryAfterMs } from './vault-errors';

/** One version of a secret. */
export interface VaultSecret {
  readonly name: string;
  readonly version: string;
  readonly bytes: Uint8Array;
  readonly attributes: SecretAttributes;
  /** When this version took effect, at the latest: it may have been disabled, or not valid yet, when it was created. */
  readonly appearedAtMs: number | undefined;
  /** Time of the last change of this version, by the vault's clock: milliseconds since the epoch, in whole seconds. */
  readonly updatedAt: number;
  /** Time of the answer, by the vault's clock, in milliseconds since the epoch. */
  readonly answeredAt: number;
}

export interface VaultClientOptions {
  readonly vaultUrl: string;
  readonly credential: TokenCredential | undefined;
  readonly workloadIdentity: WorkloadIdentity | undefined;
  readonly requestTimeoutMs: number;
  readonly agent: Agent | undefined;
  /** Passed to the constructor of `SecretClient`. */
  readonly clientOptions: object | undefined;
  readonly identity: AzureIdentityModule | undefined;
  readonly keyvaultSecrets: KeyVaultSecretsModule | undefined;
  /** Called for each 429 with the wait from `Retry-After`, if any. */
  onThrottled(retryAfterMs: number | undefined): void;
}

/** The part of `SecretClient` that this file uses. */
interface SecretClient {
  getSecret(name: string, options: object): Promise<KeyVaultSecret>;
  listPropertiesOfSecretVersions(name: string): AsyncIterable<VersionProperties>;
  listPropertiesOfSecrets(): AsyncIterable<{ readonly name: string; readonly enabled?: boolean }>;
}

interface VersionProperties {
  readonly version?: string;
  readonly enabled?: boolean;
  readonly createdOn?: Date;
}

interface KeyVaultSecret {
  readonly name: string;
  readonly value?: string;
  readonly properties: {
    readonly version?: string;
    readonly contentType?: string;
    readonly expiresOn?: Date;
    readonly notBefore?: Date;
    readonly createdOn?: Date;
    readonly updatedOn?: Date;
    readonly tags?: Readonly<Record<string, string>>;
  };
}

/** What is needed of the `@azure/keyvault-secrets` package. */
export type KeyVaultSecretsModule = ModuleWith<'SecretClient'>;

interface Peer {
  readonly SecretClient: new (vaultUrl: string, credential: TokenCredential, options: object) => SecretClient;
}

/** A `SecretClient` with a time limit for each request, without its own retries and background token refresh. */
export class VaultClient {
  readonly #client: SecretClient;
  readonly #tokens: TokenCache;
  readonly #connections: Connections;
  readonly #onThrottled: (retryAfterMs: number | undefined) => void;

  /** @throws `PEER_MISSING`, `PEER_UNSUPPORTED`, `IDENTITY_MISSING`. */
  constructor({ vaultUrl, credential, requestTimeoutMs: timeoutMs, ...options }: VaultClientOptions) {
    this.#onThrottled = options.onThrottled;
    const connections = new Connections({ timeoutMs, agent: options.agent });
    this.#connections = connections;
    const identity = credential === undefined ? workloadIdentityOf(options.workloadIdentity) : undefined;
    const kind = credential !== undefined ? 'given' : identity === undefined ? 'default' : 'workload';
    const tokenTimeoutMs = kind === 'workload' ? timeoutMs : Math.max(timeoutMs, DEVELOPER_TIMEOUT_MS);
    this.#tokens = new TokenCache({
      create: (failed) => {
        const shared = connections.forIdentity(assertEntraAnswer, failed);
        return credential ?? createCredential(identity, shared, options.identity);
      },
      timeoutMs: tokenTimeoutMs,
      closing: connections.closing,
      during: (work) => connections.duringToken(work),
      explain: (error, failed) => identityError(error, identity, failed),
      explainTimeout: () => tokenTimeout(kind, tokenTimeoutMs),
    });
    const shared = connections.forVault(assertVaultAnswer);
    const { SecretClient } = peer<Peer>('@azure/keyvault-secrets', ['SecretClient'], options.keyvaultSecrets);
    const further = options.clientOptions as Partial<ClientOptions> | undefined;
    this.#client = new SecretClient(vaultUrl, this.#tokens, {
      ...further,
      ...shared,
      additionalPolicies: [...(further?.additionalPolicies ?? []), ...shared.additionalPolicies],
    });
  }

  /** Reads the newest version, or `version`. Rejects with the error of the client. */
  get(name: string, version: string | undefined, signal: AbortSignal): Promise<VaultSecret> {
    return this.#send(() => this.#get(name, version, signal));
  }

  /** Returns the version before the newest enabled one; `undefined` if there is none. Rejects with the error of the client. */
  previousVersion(name: string, signal: AbortSignal): Promise<string | undefined> {
    return this.#send(() => this.#previousVersion(name, signal));
  }

  /** Lists the names of all enabled secrets. */
  list(signal: AbortSignal): Promise<string[]> {
    return this.#send(() => this.#list(signal));
  }

  close(): void {
    this.#connections.close();
  }

  async #send<T>(request: () => Promise<T>): Promise<T> {
    try {
      return await this.#withFreshToken(request);
    } catch (error) {
      if (isThrottled(error)) this.#onThrottled(retryAfterMs(error, Date.now()));
      throw error;
    }
  }

  /** Repeats a request with a new token if the vault refused the token. The client would send the same token again. */
  async #withFreshToken<T>(request: () => Promise<T>): Promise<T> {
    try {
      return await request();
    } catch (error) {
      if (!isUnauthorized(error)) throw error;
      this.#tokens.drop();
      return request();
    }
  }

  async #list(signal: AbortSignal): Promise<string[]> {
    const names = await enabledOf(this.#client.listPropertiesOfSecrets(), signal);
    return names.map(({ name }) => name);
  }

  /** Versions are listed in the order of their ids, not of their age. */
  async #previousVersion(name: string, signal: AbortSignal): Promise<string | undefined> {
    const versions = await enabledOf(this.#client.listPropertiesOfSecretVersions(name), signal);
    const ageOf = ({ createdOn }: VersionProperties) => createdOn?.getTime() ?? 0;
    return versions.sort((a, b) => ageOf(b) - ageOf(a))[1]?.version;
  }

  async #get(name: string, version: string | undefined, signal: AbortSignal): Promise<VaultSecret> {
    let answeredAt = Date.now();
    const secret = await untilAborted(signal, (abortSignal) =>
      this.#client.getSecret(name, {
        version,
        abortSignal,
        onResponse: ({ headers }: { headers: { get(name: string): string | undefined } }) => {
          answeredAt = Date.parse(headers.get('date') ?? '') || answeredAt;
        },
      }),
    );
    // For an answer without a body, the client returns an empty object or throws.
    if (typeof secret.value !== 'string') throw new TypeError('answer without a value');
    return {
      name: secret.name,
      version: secret.properties.version ?? '',
      bytes: new TextEncoder().encode(secret.value),
      attributes: attributesOf(secret),
      appearedAtMs: appearedAtOf(secret),
      updatedAt: secret.properties.updatedOn?.getTime() ?? 0,
      answeredAt,
    };
  }
}

async function enabledOf<T extends { readonly enabled?: boolean }>(
  list: AsyncIterable<T>,
  signal: AbortSignal,
): Promise<T[]> {
  const enabled: T[] = [];
  const items = list[Symbol.asyncIterator]();
  for (;;) {
    const { done, value } = await untilAborted(signal, () => items.next());
    if (done) return enabled;
    if (value.enabled !== false) enabled.push(value);
  }
}

function appearedAtOf({
  properties: { createdOn, updatedOn, notBefore },
}: KeyVaultSecret): number | undefined {
  if (createdOn === undefined) return undefined;
  return Math.max(...[createdOn, updatedOn, notBefore].map((date) => date?.getTime() ?? 0));
}

function attributesOf({ properties }: KeyVaultSecret): SecretAttributes {
  const { contentType, expiresOn, notBefore, createdOn, tags } = properties;
  return {
    ...(contentType === undefined ? {} : { contentType }),
    ...(expiresOn === undefined ? {} : { expiresOn }),
    ...(notBefore === undefined ? {} : { notBefore }),
    ...(createdOn === undefined ? {} : { createdOn }),
    tags: { ...tags },
  };
}
