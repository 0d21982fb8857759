import type { SecureContext } from 'node:tls';
import type { RotationEvents } from '../../rotation/types';
import type { SecretStore } from '../../store/types';
import { NameTable } from './name-table';
import type { ContextRecipe } from './served-context';

/** Durations are milliseconds. */
export interface ServerNamesOptions {
  /** How long connections may stay on the old certificate of a name, see `AttachOptions`. Default: they live on. */
  readonly drainTimeoutMs?: number;
  /** First step of the backoff between attempts with a pair that failed. Default: 1 000. */
  readonly retryBaseMs?: number;
  /** Its longest step. Default: 30 000. */
  readonly retryMaxMs?: number;
}

/** Certificates by the name that a client asks for. */
export interface ServerNames<V> extends AsyncDisposable {
  /** For the options that the server is created with. */
  readonly SNICallback: (
    servername: string,
    callback: (error: Error | null, context?: SecureContext) => void,
  ) => void;
  /** Adds a name, or replaces its recipe. Throws as `createServerNames` does, and `ROTATION_CLOSED` after `close()`. */
  set(name: string, recipe: ContextRecipe<V>): void;
  /** Removes a name. False when it was not there. */
  delete(name: string): boolean;
  /** The names, in lower case. */
  names(): readonly string[];
  /** `name` in what a listener gets is the server name. */
  on<E extends keyof RotationEvents>(event: E, listener: (payload: RotationEvents[E]) => void): () => void;
  /** Stops following the store; each name keeps the pair that it has. May be called again. */
  close(): Promise<void>;
}

/**
 * Certificates by the name that a client asks for (SNI), each of which follows its own secrets: a bad pair leaves that
 * name its old one, and does not disturb the others. The exact name comes first, then its wildcard (`*.example.com`: one
 * label), then the server's default. Attach them with the server, or sessions of a replaced certificate are resumed.
 *
 * Of what a recipe returns, the pair and `ca` count: versions and ciphers are the server's. Where client certificates are
 * demanded, each name needs the `ca` that they are checked against.
 *
 * Throws `RECIPE_FAILED`, `RECIPE_ASYNC`, `CERTIFICATE_MISSING`, `CERTIFICATE_INVALID`, `PRIVATE_KEY_MISSING`,
 * `TLS_OPTIONS_INVALID`, `OPTION_UNKNOWN`, `OPTION_INVALID`, and then has changed nothing. Later the first six are
 * `rejected` events.
 *
 * @example
 * ```ts
 * const names = createServerNames(secrets, { 'api.example.com': (s) => s.reveal('api') });
 * const server = https.createServer({ SNICallback: names.SNICallback }, handler);
 * attachSecureContext(server, secrets, (s) => s.reveal('web'), { names });
 * ```
 */
export function createServerNames<V>(
  store: SecretStore<V>,
  recipes: Readonly<Record<string, ContextRecipe<V>>>,
  options: ServerNamesOptions = {},
): ServerNames<V> {
  return new NameTable(store, recipes, options);
}
