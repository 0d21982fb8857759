import { SecretsError } from '../../errors';
import { builtin } from '../../internal/builtins';
import { type ModuleWith, peer } from '../../internal/peer';
import type { FailedRequest } from './connection-errors';
import { type ClientOptions, untilAborted, withDeadline } from './connections';

const { readFileSync } = builtin('fs');

export interface Token {
  readonly token: string;
  readonly expiresOnTimestamp: number;
}

/** The interface of `@azure/core-auth`, which every credential of `@azure/identity` implements. */
export interface TokenCredential {
  getToken(scopes: string | string[], options?: object): Promise<Token | null>;
}

/** The workload identity to request tokens with. */
export interface WorkloadIdentity {
  /** The tenant. Default: `$AZURE_TENANT_ID`. */
  readonly tenantId?: string | undefined;
  /** The client id of the identity. Default: `$AZURE_CLIENT_ID`. */
  readonly clientId?: string | undefined;
  /** The file with the projected service account token. Default: `$AZURE_FEDERATED_TOKEN_FILE`. */
  readonly tokenFilePath?: string | undefined;
}

/** How to set up workload identity, as advice in errors. */
export const LABEL_THE_POD =
  'Label the pod azure.workload.identity/use: "true" and annotate its service account azure.workload.identity/client-id: CLIENT_ID.';

/**
 * Completes the workload identity from the environment. Returns `undefined` if none is configured.
 * @throws `IDENTITY_MISSING` if only a part is configured.
 */
export function workloadIdentityOf(given: WorkloadIdentity | undefined): WorkloadIdentity | undefined {
  const { AZURE_TENANT_ID, AZURE_CLIENT_ID, AZURE_FEDERATED_TOKEN_FILE } = process.env;
  if (given === undefined && !AZURE_FEDERATED_TOKEN_FILE) return undefined;
  const tenantId = given?.tenantId ?? AZURE_TENANT_ID;
  const clientId = given?.clientId ?? AZURE_CLIENT_ID;
  const tokenFilePath = given?.tokenFilePath ?? AZURE_FEDERATED_TOKEN_FILE;
  const variables = {
    AZURE_TENANT_ID: tenantId,
    AZURE_CLIENT_ID: clientId,
    AZURE_FEDERATED_TOKEN_FILE: tokenFilePath,
  };
  const missing = Object.entries(variables).flatMap(([name, value]) => (value ? [] : [name]));
  if (missing.length === 0) return { tenantId, clientId, tokenFilePath };
  throw new SecretsError('IDENTITY_MISSING', `the workload identity lacks ${missing.join(', ')}`, {
    source: 'key-vault',
    next: LABEL_THE_POD,
  });
}

type Credential = new (options: object) => TokenCredential;

const IDENTITY_USES = ['DefaultAzureCredential', 'WorkloadIdentityCredential'] as const;

/** What is needed of the `@azure/identity` package. */
export type AzureIdentityModule = ModuleWith<(typeof IDENTITY_USES)[number]>;

/**
 * Makes a credential for exactly the workload identity if there is one: `DefaultAzureCredential` would start az, pwsh and azd
 * if that identity failed.
 * @throws `PEER_MISSING`, `PEER_UNSUPPORTED`.
 */
export function createCredential(
  identity: WorkloadIdentity | undefined,
  options: ClientOptions,
  module: AzureIdentityModule | undefined,
): TokenCredential {
  type Credentials = Record<(typeof IDENTITY_USES)[number], Credential> & {
    readonly ManagedIdentityCredential?: Credential;
  };
  const { DefaultAzureCredential, ManagedIdentityCredential, WorkloadIdentityCredential } = peer<Credentials>(
    '@azure/identity',
    IDENTITY_USES,
    module,
  );
  const only = process.env.AZURE_TOKEN_CREDENTIALS?.trim().toLowerCase();
  if (
    identity === undefined &&
    only === 'managedidentitycredential' &&
    ManagedIdentityCredential !== undefined
  ) {
    // The default credential would make it without these options.
    return new ManagedIdentityCredential({ ...options, clientId: process.env.AZURE_CLIENT_ID });
  }
  // The tools of developers (az, pwsh, azd) run as processes, which the credential does not limit by default.
  if (identity === undefined)
    return new DefaultAzureCredential({ ...options, processTimeoutInMs: TOOL_TIMEOUT_MS });
  return new WorkloadIdentityCredential({ ...identity, ...options });
}

/** Time limit of a token from a credential other than a workload identity. The Azure CLI may take six seconds. */
export const DEVELOPER_TIMEOUT_MS = 15_000;
const TOOL_TIMEOUT_MS = 13_000;

/** Called with each request of a credential that failed. */
type RequestFailed = (error: unknown, host: string) => void;

export interface TokenRequestOptions {
  /** Makes a credential. Called again after each failure. */
  create(failed: RequestFailed): TokenCredential;
  /** Time limit of one token request. */
  readonly timeoutMs: number;
  /** Aborts when the source closes. */
  readonly closing: AbortSignal;
  /** Runs a token request, and ends what the credential still does when it was given up. */
  during<T>(work: () => Promise<T>): Promise<T>;
  /** Converts the error of a credential into a `SecretsError`, with its requests that failed. */
  explain(error: unknown, failed: readonly FailedRequest[]): SecretsError;
  /** Explains a token request that took longer than `timeoutMs`. */
  explainTimeout(): SecretsError;
}

/** Requests tokens from a credential, each within a time limit, and explains failures. */
export class TokenRequests {
  readonly #options: TokenRequestOptions;
  #credential: TokenCredential | undefined;
  /** The requests of the token request that failed. */
  #failed: FailedRequest[] = [];

  constructor(options: TokenRequestOptions) {
    this.#options = options;
  }

  /** Makes the next request use a new credential: the old one has a cache of its own, and would return the same token. */
  reset(): void {
    this.#credential = undefined;
  }

  /** @throws What `explain` or `explainTimeout` returns. */
  async send(scopes: string | string[], options: object): Promise<Token> {
    // Ignore the caller's signal: other callers may still wait for this token.
    const { claims, tenantId, enableCae } = options as Record<string, unknown>;
    const { timeoutMs, closing } = this.#options;
    let timedOut = false;
    try {
      this.#credential ??= this.#options.create((error, host) => this.#failed.push({ error, host }));
      this.#failed = [];
      const credential = this.#credential;
      const request = (signal: AbortSignal) => {
        signal.addEventListener('abort', () => {
          timedOut = true;
        });
        return untilAborted(signal, (abortSignal) =>
          credential.getToken(scopes, { claims, tenantId, enableCae, abortSignal }),
        );
      };
      const token = await this.#options.during(() => withDeadline([closing], timeoutMs, request));
      if (token === null) throw new TypeError('no token');
      return token;
    } catch (error) {
      // Make a new credential: this one would cache the token file for 5 minutes, and MSAL would refuse for one minute.
      this.reset();
      throw timedOut ? this.#options.explainTimeout() : this.#options.explain(error, this.#failed);
    }
  }
}

/** Time before its expiry at which a token is replaced. Until it expires, failures to replace it are harmless. */
const REPLACE_BEFORE_MS = 300_000;
const RETRY_AFTER_MS = 30_000;

/**
 * Caches the token of one vault. It reports every token as expired, so that the client asks for a token before each request,
 * within the call that needs it. Otherwise the client would refresh tokens in the background. If that fails while no call
 * waits, the unhandled rejection ends the process.
 */
export class TokenCache implements TokenCredential {
  readonly #requests: TokenRequests;
  #token: Token | undefined;
  #pending: Promise<Token> | undefined;
  #requestedAt = 0;

  constructor(options: TokenRequestOptions) {
    this.#requests = new TokenRequests(options);
  }

  /** Drops a token that the vault refused. The next request gets a new token. */
  drop(): void {
    this.#token = undefined;
    this.#requests.reset();
  }

  async getToken(scopes: string | string[], options: object = {}): Promise<Token> {
    // `claims` mean that the vault wants a new token with these claims (continuous access evaluation).
    if ((options as { claims?: unknown }).claims !== undefined) this.drop();
    const recently = Date.now() - this.#requestedAt < RETRY_AFTER_MS;
    const known = this.#validFor(recently ? 0 : REPLACE_BEFORE_MS);
    if (known !== undefined) return asExpired(known);
    try {
      return asExpired(await this.#requestOnce(scopes, options));
    } catch (error) {
      const old = this.#validFor(0);
      if (old !== undefined) return asExpired(old);
      throw error;
    }
  }

  #validFor(leastMs: number): Token | undefined {
    const leftMs = (this.#token?.expiresOnTimestamp ?? 0) - Date.now();
    return leftMs > leastMs ? this.#token : undefined;
  }

  #requestOnce(scopes: string | string[], options: object): Promise<Token> {
    this.#pending ??= this.#request(scopes, options).finally(() => {
      this.#pending = undefined;
    });
    return this.#pending;
  }

  async #request(scopes: string | string[], options: object): Promise<Token> {
    this.#requestedAt = Date.now();
    this.#token = await this.#requests.send(scopes, options);
    return this.#token;
  }
}

function asExpired({ token }: Token): Token {
  return { token, expiresOnTimestamp: 0 };
}

/** The claims of a projected service account token: names and times, never the token. */
export interface TokenFacts {
  readonly issuer: string;
  /** `system:serviceaccount:NAMESPACE:NAME`. */
  readonly subject: string;
  readonly audience: string;
  readonly validFrom: Date | undefined;
  readonly expiresAt: Date | undefined;
}

export type TokenFile =
  | { readonly state: 'missing' | 'unreadable' | 'empty' | 'no token' }
  | { readonly state: 'token'; readonly facts: TokenFacts };

/** What is wrong with a token file, for a message. */
export const BROKEN_TOKEN_FILE = {
  missing: 'does not exist',
  unreadable: 'cannot be read',
  empty: 'is empty',
  'no token': 'is not a token',
} as const;

/** Reads the claims in the token file of the workload identity, which explain most failures. */
export function readTokenFile(path: string): TokenFile {
  let text: string;
  try {
    text = readFileSync(path, 'utf8').trim();
  } catch (error) {
    return { state: (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'missing' : 'unreadable' };
  }
  if (text === '') return { state: 'empty' };
  const facts = factsOf(text);
  return facts === undefined ? { state: 'no token' } : { state: 'token', facts };
}

/** Decodes the claims of a JWT without verifying its signature. Entra ID does that. */
function factsOf(token: string): TokenFacts | undefined {
  const [, payload, signature] = token.split('.');
  if (payload === undefined || signature === undefined) return undefined;
  try {
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')) as Record<string, unknown>;
    const { iss, sub, aud, nbf, exp } = claims;
    return {
      issuer: printable(iss),
      subject: printable(sub),
      audience: [aud].flat().map(printable).join(', '),
      validFrom: dateOf(nbf),
      expiresAt: dateOf(exp),
    };
  } catch {
    return undefined;
  }
}

function dateOf(claim: unknown): Date | undefined {
  const date = typeof claim === 'number' ? new Date(claim * 1000) : undefined;
  return date === undefined || Number.isNaN(date.getTime()) ? undefined : date;
}

/** Returns a claim only if it has the form of a name or address, because the file may contain something else than a token. */
function printable(claim: unknown): string {
  return typeof claim === 'string' && /^[\w:./@-]{1,256}$/.test(claim) ? claim : '?';
}
