import { SecretsError } from '../../errors';
import { untilAborted, withDeadline } from './bounded-work';
import { OUTAGE } from './vault-errors';

/** As of `@azure/core-auth`: what every credential of `@azure/identity` is. */
export interface TokenCredential {
  getToken(
    scopes: string | string[],
    options?: object,
  ): Promise<{ readonly token: string; readonly expiresOnTimestamp: number } | null>;
}

interface Token {
  readonly token: string;
  readonly expiresOnTimestamp: number;
}

export interface TokenCacheOptions {
  /** Called again after each failure. */
  create(): TokenCredential;
  /** Bound of one request for a token. */
  readonly timeoutMs: number;
  /** Aborts when nobody waits for a token any more. */
  readonly closing: AbortSignal;
  /** Turns what a credential throws into an error of ours. */
  explain(error: unknown): SecretsError;
}

/** A token is renewed this long before it ends; until then a failure to renew it does no harm. */
const RENEW_BEFORE_MS = 300_000;
const RENEW_AGAIN_AFTER_MS = 30_000;

/**
 * Holds the tokens of one vault. To the client every token of it has expired: so it asks for one before each request, in
 * the call that needs it. Left to itself, the client refreshes in the background, and a refresh that fails while no
 * call waits is an unhandled rejection, which ends the process.
 */
export class TokenCache implements TokenCredential {
  readonly #create: () => TokenCredential;
  readonly #timeoutMs: number;
  readonly #closing: AbortSignal;
  readonly #explain: (error: unknown) => SecretsError;
  #credential: TokenCredential | undefined;
  #token: Token | undefined;
  #asking: Promise<Token> | undefined;
  #askedAt = 0;

  constructor({ create, timeoutMs, closing, explain }: TokenCacheOptions) {
    this.#create = create;
    this.#timeoutMs = timeoutMs;
    this.#closing = closing;
    this.#explain = explain;
  }

  /** The vault refused the token: the next request gets a new one. */
  drop(): void {
    this.#token = undefined;
    // It has a cache of its own, and would hand out the same one.
    this.#credential = undefined;
  }

  async getToken(scopes: string | string[], options: object = {}): Promise<Token> {
    // With claims, the vault asks for a token that says more (continuous access evaluation).
    if ((options as { claims?: unknown }).claims !== undefined) this.drop();
    const recently = Date.now() - this.#askedAt < RENEW_AGAIN_AFTER_MS;
    const known = this.#valid(recently ? 0 : RENEW_BEFORE_MS);
    if (known !== undefined) return expired(known);
    try {
      return expired(await this.#ask(scopes, options));
    } catch (error) {
      const old = this.#valid(0);
      if (old !== undefined) return expired(old);
      throw error;
    }
  }

  #valid(leastMs: number): Token | undefined {
    const left = (this.#token?.expiresOnTimestamp ?? 0) - Date.now();
    return left > leastMs ? this.#token : undefined;
  }

  /** One request at a time, within a bound that the credential itself may not have. */
  async #ask(scopes: string | string[], options: object): Promise<Token> {
    this.#asking ??= this.#request(scopes, options).finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  async #request(scopes: string | string[], options: object): Promise<Token> {
    this.#askedAt = Date.now();
    // Of the options only what the token is about: others wait for it too when the request that asked is given up.
    const { claims, tenantId, enableCae } = options as Record<string, unknown>;
    let late = false;
    try {
      this.#credential ??= this.#create();
      const credential = this.#credential;
      const token = await withDeadline([this.#closing], this.#timeoutMs, (signal) => {
        signal.addEventListener('abort', () => {
          late = true;
        });
        return untilAborted(signal, () => credential.getToken(scopes, { claims, tenantId, enableCae }));
      });
      if (token === null) throw new TypeError('no token');
      this.#token = token;
      return token;
    } catch (error) {
      // Left as it is, it would not read the file of the pod again for 5 minutes, nor ask Entra ID for one.
      this.#credential = undefined;
      throw late ? noToken(this.#timeoutMs) : this.#explain(error);
    }
  }
}

function expired({ token }: Token): Token {
  return { token, expiresOnTimestamp: 0 };
}

function noToken(timeoutMs: number): SecretsError {
  return new SecretsError('VAULT_TIMEOUT', `Entra ID gave no token within ${timeoutMs} ms`, {
    source: 'key-vault',
    next: `Check that the pod reaches login.microsoftonline.com. ${OUTAGE}`,
  });
}
