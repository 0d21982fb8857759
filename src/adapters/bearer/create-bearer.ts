import { SecretsError } from '../../errors';
import type { Listenable } from '../../internal/events';
import { callback, ms, type Option } from '../../internal/options';
import { RotatingClient, undrainedOptions } from '../../rotation/client';
import type { CredentialEvents, RotationEvents } from '../../rotation/types';
import type { SecretStore } from '../../store/types';
import { type AxiosLike, attachTo } from './axios';
import { CurrentCredential } from './current-credential';
import { createFetch, type HotFetch } from './fetch';
import { createGotHooks, type GotHooks } from './got';
import { asHeaders, type CredentialHeaders, type CredentialsRecipe, checkedHeaders } from './headers';
import { createInterceptor, type HotInterceptor } from './undici';

/** Durations are milliseconds. */
export interface BearerOptions {
  /** The name of the credential in errors and events. Default: `HTTP credential`. */
  readonly name?: string | undefined;
  /**
   * How long a refused request waits for a newer credential, before its caller gets the refusal. 0: not at all. Default: 5 000.
   */
  readonly authFailureWaitMs?: number | undefined;
  /** The statuses by which the server refuses a credential. Default: `[401]`. */
  readonly statuses?: readonly number[] | undefined;
  /** The `fetch` to use instead of the global one, for example that of the `undici` package. */
  readonly fetch?: ((...args: never[]) => Promise<unknown>) | undefined;
  /** Initial backoff after a generation that cannot be used. It doubles each time. Default: 1 000. */
  readonly retryBaseMs?: number | undefined;
  /** Maximum backoff. Default: 30 000. */
  readonly retryMaxMs?: number | undefined;
}

/**
 * The rotation of a credential. `rejected`, `refused` and `error` events also reach the `error` listeners of the store. If neither
 * has a listener, they become process warnings.
 */
export interface BearerRotation
  extends Listenable<Pick<RotationEvents, 'swapped' | 'rejected' | 'error'> & CredentialEvents>,
    AsyncDisposable {
  /** The store's generation that requests use. */
  readonly generation: number;
  /** Stops following the store; requests keep using the current credential. May be called again. */
  close(): Promise<void>;
}

/** Ways to send requests with a credential that follows its secrets. */
export interface Bearer {
  /** `fetch` with the credential. `body` may be a function that makes the body of each attempt. */
  readonly fetch: HotFetch;
  /**
   * An interceptor for `dispatcher.compose` of undici 7 and newer. Only requests to `origin` get the credential.
   * @throws `OPTION_INVALID` without an origin.
   */
  interceptor(origin: string | URL): HotInterceptor;
  /**
   * Adds the credential to every request of an axios instance, and returns the instance.
   * @throws `OPTION_INVALID` for anything else than an axios instance.
   */
  axios<A extends AxiosLike>(instance: A): A;
  /** Hooks for `got.extend`. */
  readonly got: GotHooks;
  /** The current headers, for any other client: call it for each request. */
  revealHeaders(): Record<string, string>;
  readonly rotation: BearerRotation;
}

const IN_RECIPE = ['headers', 'authorization', 'token'];

/**
 * Sends the credential of an HTTP API with each request: a bearer token, an API key, or any headers that the recipe returns. If
 * the server refuses it (401), the store refreshes, and the request is sent again once a newer credential is there, if its body
 * can be. Otherwise the caller gets the refusal. Requests that are refused together share one refresh and one wait. A redirect to
 * another origin gets no credential.
 *
 * Options: `name` (default `HTTP credential`), `authFailureWaitMs` (default 5 000), `statuses` (default `[401]`), `fetch`,
 * `retryBaseMs`, `retryMaxMs`.
 *
 * Throws `RECIPE_FAILED`, `RECIPE_ASYNC`, `RECIPE_READS_NOTHING`, `RECIPE_READS_STORE` (in `rejected` events after the first run),
 * `OPTION_UNKNOWN`, `OPTION_INVALID`. Events: `CREDENTIAL_REFUSED`.
 *
 * @example
 * ```ts
 * const api = bearer(secrets, (s) => s.reveal('apiToken')); // authorization: Bearer …
 * const response = await api.fetch('https://api.example.com/orders');
 * const keyed = bearer(secrets, (s) => ({ 'x-api-key': s.reveal('apiKey') }));
 * ```
 */
export function bearer<V>(
  store: SecretStore<V>,
  recipe: CredentialsRecipe<V>,
  options: BearerOptions = {},
): Bearer {
  const own = {
    authFailureWaitMs: ms(5_000, { most: 2_147_483_647 }),
    statuses,
    fetch: callback<NonNullable<BearerOptions['fetch']>>(),
  };
  const settings = undrainedOptions('bearer', options, 'HTTP credential', own, IN_RECIPE);
  const { name } = settings;
  const client = new RotatingClient('bearer', {
    kind: 'http',
    store,
    recipe: asHeaders(name, recipe),
    returns: 'a request: headers by name',
    options: settings,
    refusals: true,
    connect: (headers: CredentialHeaders) => checkedHeaders(name, headers),
  });
  const credential = new CurrentCredential(settings.authFailureWaitMs, () => client as never);
  client.follow({ swap: () => credential.swapped(), drained() {}, close() {} });
  const unsubscribe = store.on('close', () => credential.stop());
  const close = () => {
    unsubscribe();
    credential.stop();
    return client.stop();
  };
  const {
    statuses: refusing,
    fetch = (...args: Parameters<typeof globalThis.fetch>) => globalThis.fetch(...args),
  } = settings;
  const made = {
    fetch: createFetch(credential, refusing, fetch as typeof globalThis.fetch),
    interceptor: (origin: string | URL) => createInterceptor(credential, refusing, origin),
    axios<A extends AxiosLike>(instance: A): A {
      if (typeof instance?.interceptors?.request?.use !== 'function') {
        throw new SecretsError('OPTION_INVALID', 'bearer: axios needs an instance of axios', {
          next: 'Pass the result of axios.create().',
        });
      }
      attachTo(instance, credential, refusing);
      return instance;
    },
    got: createGotHooks(credential, refusing),
    revealHeaders: () => ({ ...client.current }),
  };
  return client.expose(made, { close, [Symbol.asyncDispose]: close }) as unknown as Bearer;
}

const statuses: Option<readonly number[]> = (given = [401], reject) =>
  Array.isArray(given) &&
  given.length > 0 &&
  given.every((one) => Number.isInteger(one) && one >= 400 && one < 600)
    ? given
    : reject('a list of statuses from 400 to 599');
