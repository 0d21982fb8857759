import { readFileSync } from 'node:fs';
import { SecretsError } from '../../errors';
import { type ModuleWith, peer } from '../../internal/peer';
import { type ClientOptions, untilAborted, withDeadline } from './connections';
import { OUTAGE } from './vault-errors';

interface Token {
  readonly token: string;
  readonly expiresOnTimestamp: number;
}

/** The interface of `@azure/core-auth`, which every credential of `@azure/identity` implements. */
export interface TokenCredential {
  getToken(scopes: string | string[], options?: object): Promise<Token | null>;
}

/** The workload identity that requests tokens. */
export interface WorkloadIdentity {
  /** Default: `$AZURE_TENANT_ID`. */
  readonly tenantId?: string | undefined;
  /** Default: `$AZURE_CLIENT_ID`. */
  readonly clientId?: string | undefined;
  /** The projected service account token. Default: `$AZURE_FEDERATED_TOKEN_FILE`. */
  readonly tokenFilePath?: string | undefined;
}

/** What sets up workload identity, as advice in an error. */
export const LABEL_THE_POD =
  'Label the pod azure.workload.identity/use: "true" and annotate its service account azure.workload.identity/client-id: CLIENT_ID.';

/**
 * Completes the workload identity from the environment; `undefined` when there is none.
 * @throws `IDENTITY_MISSING` when only a part of one is set.
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
 * Uses exactly the workload identity in a pod: `DefaultAzureCredential` would start az, pwsh and azd when that fails.
 * @throws `PEER_MISSING`, `PEER_UNSUPPORTED`.
 */
export function createCredential(
  identity: WorkloadIdentity | undefined,
  options: ClientOptions,
  module: AzureIdentityModule | undefined,
): TokenCredential {
  type Credentials = Record<(typeof IDENTITY_USES)[number], Credential>;
  const { DefaultAzureCredential, WorkloadIdentityCredential } = peer<Credentials>(
    '@azure/identity',
    IDENTITY_USES,
    module,
  );
  if (identity === undefined) return new DefaultAzureCredential(options);
  return new WorkloadIdentityCredential({ ...identity, ...options });
}

export interface TokenCacheOptions {
  /** Called again after each failure. */
  create(): TokenCredential;
  /** Bounds one token request. */
  readonly timeoutMs: number;
  /** Aborts once no caller waits for a token any more. */
  readonly closing: AbortSignal;
  /** Turns what a credential throws into a `SecretsError`. */
  explain(error: unknown): SecretsError;
}

/** How long before its expiry a token is replaced; until it expires, a failure to replace it does no harm. */
const REPLACE_BEFORE_MS = 300_000;
const RETRY_AFTER_MS = 30_000;

/**
 * Holds the tokens of one vault. It tells the client that every token has expired, so the client asks for one before each
 * request, within the call that needs it. Otherwise the client refreshes tokens in the background, and a refresh that
 * fails while no call waits is an unhandled rejection, which ends the process.
 */
export class TokenCache implements TokenCredential {
  readonly #create: () => TokenCredential;
  readonly #timeoutMs: number;
  readonly #closing: AbortSignal;
  readonly #explain: (error: unknown) => SecretsError;
  #credential: TokenCredential | undefined;
  #token: Token | undefined;
  #pending: Promise<Token> | undefined;
  #requestedAt = 0;

  constructor({ create, timeoutMs, closing, explain }: TokenCacheOptions) {
    this.#create = create;
    this.#timeoutMs = timeoutMs;
    this.#closing = closing;
    this.#explain = explain;
  }

  /** Forgets a token that the vault refused: the next request gets a new one. */
  drop(): void {
    this.#token = undefined;
    // The credential has its own cache and would return the same token.
    this.#credential = undefined;
  }

  async getToken(scopes: string | string[], options: object = {}): Promise<Token> {
    // With claims, the vault asks for a token with more in it (continuous access evaluation).
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
    // Leaves out the caller's signal: other callers still wait for this token when that caller gives up.
    const { claims, tenantId, enableCae } = options as Record<string, unknown>;
    let timedOut = false;
    try {
      this.#credential ??= this.#create();
      const credential = this.#credential;
      const token = await withDeadline([this.#closing], this.#timeoutMs, (signal) => {
        signal.addEventListener('abort', () => {
          timedOut = true;
        });
        return untilAborted(signal, () => credential.getToken(scopes, { claims, tenantId, enableCae }));
      });
      if (token === null) throw new TypeError('no token');
      this.#token = token;
      return token;
    } catch (error) {
      // The same credential would not read the token file again for 5 minutes, and MSAL would refuse for one minute.
      this.#credential = undefined;
      throw timedOut ? tokenTimeout(this.#timeoutMs) : this.#explain(error);
    }
  }
}

function asExpired({ token }: Token): Token {
  return { token, expiresOnTimestamp: 0 };
}

function tokenTimeout(timeoutMs: number): SecretsError {
  return new SecretsError('VAULT_TIMEOUT', `Entra ID issued no token within ${timeoutMs} ms`, {
    source: 'key-vault',
    next: `Check that the pod reaches login.microsoftonline.com. ${OUTAGE}`,
  });
}

/** What a projected service account token says about itself: names and times, never the token. */
export interface TokenFacts {
  readonly issuer: string;
  /** `system:serviceaccount:NAMESPACE:NAME`. */
  readonly subject: string;
  readonly audience: string;
  readonly expiresAt: Date | undefined;
}

export type TokenFile =
  | { readonly state: 'missing' | 'unreadable' | 'empty' | 'no token' }
  | { readonly state: 'token'; readonly facts: TokenFacts };

/** Reads what the token file of the workload identity says: that explains most failures. */
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

/** Decodes the claims of a JWT without checking its signature, which is for Entra ID to do. */
function factsOf(token: string): TokenFacts | undefined {
  const [, payload, signature] = token.split('.');
  if (payload === undefined || signature === undefined) return undefined;
  try {
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')) as Record<string, unknown>;
    const { iss, sub, aud, exp } = claims;
    return {
      issuer: printable(iss),
      subject: printable(sub),
      audience: [aud].flat().map(printable).join(', '),
      expiresAt: typeof exp === 'number' ? new Date(exp * 1000) : undefined,
    };
  } catch {
    return undefined;
  }
}

/** Repeats only what looks like a name or an address: the file may hold something other than a token. */
function printable(claim: unknown): string {
  return typeof claim === 'string' && /^[\w:./@-]{1,256}$/.test(claim) ? claim : '?';
}
