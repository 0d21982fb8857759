import type { SecureContextOptions, Server } from 'node:tls';
import { SecretsError } from '../../errors';
import { rejectUnknownOptions } from '../../internal/options';
import { rotatingOptions } from '../../rotation/rotating';
import { Rotation } from '../../rotation/rotation';
import { track } from '../../rotation/tracked';
import type { RotatingOptions, RotationEvents } from '../../rotation/types';
import type { SecretStore, Snapshot } from '../../store/types';
import { ConnectionWatch } from './connection-watch';
import { ContextSlot, type SwapCount } from './context-slot';
import { HttpWatch } from './http-watch';
import { hidePrivateOptions, inheritedOptions, rememberOptions } from './inherited-options';
import { insideOf, type NamesInside } from './name-table';
import { buildContext, type ContextRecipe, type ServedContext } from './served-context';
import type { ServerNames } from './server-names';
import { sessionContext } from './session-context';

/** Durations are milliseconds. */
export interface AttachOptions {
  /** What errors and events call the server. Default: `TLS server`. */
  readonly name?: string;
  /** Certificates by name, whose `SNICallback` the server was created with. They close with it. */
  readonly names?: Pick<ServerNames<unknown>, 'SNICallback'>;
  /**
   * How long connections may stay on the old certificate. HTTP/1 closes after its next answer, HTTP/2 with a GOAWAY at
   * its next request, or halfway when there is none. What is left at the end is closed by force, with a
   * `DRAIN_TIMEOUT`. Default: they live on.
   */
  readonly drainTimeoutMs?: number;
  /** First step of the backoff between attempts with a pair that failed. Default: 1 000. */
  readonly retryBaseMs?: number;
  /** Its longest step. Default: 30 000. */
  readonly retryMaxMs?: number;
}

/** The rotation of a server's certificate. */
export interface AttachedContext extends AsyncDisposable {
  /** The store's generation of the pair that new connections get. */
  readonly generation: number;
  /** Open connections that got an older one, of a name or by default. Those from before the attachment do not count. */
  readonly staleCount: number;
  on<E extends keyof RotationEvents>(event: E, listener: (payload: RotationEvents[E]) => void): () => void;
  /** Stops following the store; the server stays on the pair that it has. May be called again. */
  close(): Promise<void>;
}

const WHERE = 'attachSecureContext';
const ENGINE_OPTIONS = ['name', 'drainTimeoutMs', 'retryBaseMs', 'retryMaxMs'] as const;
// A symbol of the registry, so that the ESM and CJS copies of the package see each other's.
const ATTACHED = Symbol.for('hot-secrets.attached');

/**
 * Lets an https, http2 or tls server follow the secrets that the recipe reads, from now until the server closes. New
 * connections get a new pair at once, old ones live on, and no session of the old pair is resumed. A pair that is bad
 * leaves the server as it is.
 *
 * What the server was created with (`minVersion`, `ca`, `ciphers`, …) holds unless the recipe names it. Attach before the
 * server listens.
 *
 * Throws `RECIPE_FAILED`, `RECIPE_ASYNC`, `CERTIFICATE_MISSING`, `CERTIFICATE_INVALID`, `PRIVATE_KEY_MISSING`,
 * `TLS_OPTIONS_INVALID`, `OPTION_UNKNOWN`, `OPTION_INVALID`, and then has changed nothing. Later the first six are
 * `rejected` events; `DRAIN_TIMEOUT` is an `error` event.
 *
 * @example
 * ```ts
 * const server = https.createServer({ minVersion: 'TLSv1.3' }, handler);
 * attachSecureContext(server, secrets, (s) => s.reveal('web'));
 * server.listen(443);
 * ```
 */
export function attachSecureContext<V>(
  server: Server,
  store: SecretStore<V>,
  recipe: ContextRecipe<V>,
  options: AttachOptions = {},
): AttachedContext {
  rejectUnknownOptions(WHERE, options, [...ENGINE_OPTIONS, 'names']);
  assertServer(server);
  return new Attachment(server, store, recipe, options);
}

class Attachment<V> implements AttachedContext {
  readonly #server: Server;
  readonly #names: NamesInside | undefined;
  readonly #slot: ContextSlot;
  readonly #rotation: Rotation<ServedContext, V>;
  readonly #connections: ConnectionWatch;
  readonly #http: HttpWatch | undefined;
  readonly #leaveNames: (() => Promise<void>) | undefined;
  #generation: number;
  /** What the server has: what the slot serves, but for the moment between a build and its swap. */
  #worn: SecureContextOptions | undefined;
  #closing: Promise<void> | undefined;

  constructor(server: Server, store: SecretStore<V>, recipe: ContextRecipe<V>, options: AttachOptions) {
    const engine = rotatingOptions(WHERE, engineOptions(options));
    const names = options.names === undefined ? undefined : insideOrThrow(options.names);
    const inherited = inheritedOptions(server);
    // Tried on the server itself, and not on a context beside it: to make one takes a millisecond.
    const build = (snapshot: Snapshot<V>) =>
      buildContext(engine.name, recipe, snapshot, inherited, (built) => this.#tryOn(built));
    const tracked = track(store.snapshot());
    this.#server = server;
    this.#names = names;
    const first = build(tracked.snapshot);
    const count: SwapCount = names?.count ?? { swaps: 0 };
    const slot = new ContextSlot(count, first, options.drainTimeoutMs);

    this.#slot = slot;
    this.#generation = tracked.snapshot.generation;
    hidePrivateOptions(server);
    Object.defineProperty(server, ATTACHED, { value: true, configurable: true });

    const slotOf = (host: string, acceptedAt: number) => names?.slotOf(host, acceptedAt) ?? slot;
    this.#connections = new ConnectionWatch(server, count, slotOf);
    const drains = options.drainTimeoutMs !== undefined || names?.drainTimeoutMs !== undefined;
    this.#http = drains ? new HttpWatch(server, this.#connections) : undefined;
    this.#leaveNames = names?.join(() => this.#tryOn(this.#worn ?? slot.current.options));
    this.#rotation = new Rotation(
      store,
      { build, drain: (served) => slot.drain(served), dispose: (served) => this.#dispose(served) },
      engine,
      {
        initial: { resource: first, tracked },
        face: {
          kind: 'tls-server',
          connections: () => ({ open: this.#connections.openCount, stale: this.staleCount }),
        },
      },
    );
    // In the turn of the build: no connection has come since. Before any listener of the user.
    this.#rotation.on('swapped', () => {
      this.#generation = this.#rotation.generation;
      slot.swap(this.#rotation.current);
    });
    server.on('close', this.#serverClosed);
  }

  get generation(): number {
    return this.#generation;
  }

  get staleCount(): number {
    return this.#connections.staleCount;
  }

  on<E extends keyof RotationEvents>(event: E, listener: (payload: RotationEvents[E]) => void): () => void {
    // What the engine says at its end is about a pair that goes on to be served.
    return this.#rotation.on(event, (payload) =>
      this.#closing === undefined ? listener(payload) : undefined,
    );
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    this.#server.off('close', this.#serverClosed);
    this.#connections.stop();
    this.#http?.stop();
    delete (this.#server as { [ATTACHED]?: true })[ATTACHED];
    await Promise.all([this.#rotation.close(), this.#leaveNames?.()]);
  }

  readonly #serverClosed = () => void this.close();

  /**
   * Gives the server these options, or throws and leaves it as it was. Also after the swap of a name: it is the default
   * context that decides which sessions are resumed.
   */
  #tryOn(options: SecureContextOptions): undefined {
    const served = [options, ...(this.#names?.served() ?? [])];
    const sessionIdContext = sessionContext(options.sessionIdContext, served);
    const restore = rememberOptions(this.#server);
    try {
      this.#server.setSecureContext({ ...options, sessionIdContext });
      this.#worn = options;
    } catch (error) {
      restore();
      throw error;
    }
  }

  #dispose(served: ServedContext): Promise<void> {
    const { current } = this.#slot;
    // Overtaken before it was swapped in: the server goes back.
    if (served !== current && served.options === this.#worn) this.#tryOn(current.options);
    return this.#slot.force(served);
  }
}

function assertServer(server: Server & { readonly [ATTACHED]?: true }): void {
  if (typeof server?.setSecureContext !== 'function' || typeof server.on !== 'function') {
    throw new SecretsError('OPTION_INVALID', `${WHERE} was given no TLS server`, {
      next: 'Give what https.createServer, http2.createSecureServer or tls.createServer returns.',
    });
  }
  if (server[ATTACHED]) {
    throw new SecretsError('OPTION_INVALID', `${WHERE} was given a server that follows a store already`, {
      next: 'Close the first attachment; for several certificates, use createServerNames.',
    });
  }
}

function insideOrThrow(names: object): NamesInside {
  const inside = insideOf(names);
  if (inside !== undefined) return inside;
  throw new SecretsError('OPTION_INVALID', `names of ${WHERE} is nothing that createServerNames returned`);
}

function engineOptions(options: AttachOptions): RotatingOptions {
  const own = Object.entries(options).filter(([option, value]) => option !== 'names' && value !== undefined);
  return { name: 'TLS server', drainTimeoutMs: Number.POSITIVE_INFINITY, ...Object.fromEntries(own) };
}
