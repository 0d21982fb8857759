import type { SecureContextOptions, Server } from 'node:tls';
import { SecretsError } from '../../errors';
import { ms, oneOf, passed } from '../../internal/options';
import { type ClientRotation, clientOptions, RotatingClient } from '../../rotation/client';
import { Closing } from '../../rotation/lifetime';
import type { SecretStore } from '../../store/types';
import { ConnectionWatch, HttpWatch } from './connections';
import {
  type ContextRecipe,
  ContextSlot,
  type ServedContext,
  type SwapCount,
  serveContext,
} from './context-slot';
import { hidePrivateOptions, inheritedOptions, rememberOptions } from './inherited-options';
import { preferNames } from './key-types';
import { internalsOf, type ServerNames, type ServerNamesInternals } from './server-names';
import { bindsSessionsToNames, sessionContext, trustsDiffer, withoutTickets } from './session-context';

/** Durations are milliseconds. */
export interface AttachOptions {
  /** The name of the server in errors and events. Default: `TLS server`. */
  readonly name?: string | undefined;
  /** Certificates by name; the server was created with their `SNICallback`. They close with it. */
  readonly names?: Pick<ServerNames<unknown>, 'SNICallback'> | undefined;
  /**
   * How long connections may stay on the old certificate. HTTP/1 connections close after their next response, HTTP/2
   * sessions with a GOAWAY at their next request, or after half of the time if none comes. The rest is closed by force, with
   * a `DRAIN_TIMEOUT`. Default: they stay open.
   */
  readonly drainTimeoutMs?: number | undefined;
  /**
   * What to do with a certificate without intermediates if the one before had some: `reject` (default) keeps the old one,
   * because clients may need them; `accept` uses it.
   */
  readonly shorterChain?: 'reject' | 'accept' | undefined;
  /** First step of the backoff between attempts with a pair that failed. Default: 1 000. */
  readonly retryBaseMs?: number | undefined;
  /** The longest step of the backoff. Default: 30 000. */
  readonly retryMaxMs?: number | undefined;
}

/**
 * The rotation of a server's certificate. `staleCount` counts the open connections with an older one, whether by name or by
 * default. Connections from before the attachment do not count.
 */
export interface AttachedContext extends ClientRotation, AsyncDisposable {
  /** Stops following the store; the server keeps its current pair. May be called again. */
  close(): Promise<void>;
}

const WHERE = 'attachSecureContext';
const IN_RECIPE = ['cert', 'key', 'ca', 'pfx', 'passphrase', 'minVersion', 'maxVersion', 'ciphers'];
// A registered symbol, so that the ESM and CJS copies of the package see each other's attachments.
const ATTACHED = Symbol.for('hot-secrets.attached');

/**
 * Makes an https, http2 or tls server follow the secrets that the recipe reads until the server closes. New
 * connections get a new pair at once, open ones stay, and no session of the old pair is resumed. A bad pair leaves the
 * server unchanged.
 *
 * Options that the server was created with (`minVersion`, `ca`, `ciphers`, …) hold unless the recipe returns them. Attach before the
 * server listens.
 *
 * Throws `RECIPE_FAILED`, `RECIPE_ASYNC`, `RECIPE_READS_NOTHING`, `RECIPE_READS_STORE`, `CERTIFICATE_MISSING`, `CERTIFICATE_INVALID`, `PRIVATE_KEY_MISSING`,
 * `CERTIFICATE_CHAIN_BROKEN`, `CERTIFICATE_PURPOSE_WRONG`, `CERTIFICATE_KEY_UNSUPPORTED`, `TLS_OPTIONS_INVALID`,
 * `OPTION_UNKNOWN`, `OPTION_INVALID`, `RUNTIME_UNSUPPORTED`, without having changed anything. Later all but the last three are
 * `rejected` events, as is `CERTIFICATE_CHAIN_INCOMPLETE`; `DRAIN_TIMEOUT` is an `error` event.
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
  assertServer(server);
  const own = { names: passed<object>(), drainTimeoutMs: ms(), shorterChain: oneOf('reject', 'accept') };
  const settings = clientOptions(WHERE, options, 'TLS server', own, IN_RECIPE);
  const { name, drainTimeoutMs, shorterChain } = settings;
  const names = settings.names === undefined ? undefined : internalsOrThrow(settings.names);
  const applied = new AppliedOptions(name, server, names);
  const inherited = inheritedOptions(server);
  let slot: ContextSlot | undefined;
  const client = new RotatingClient(WHERE, {
    kind: 'tls-server',
    store,
    recipe,
    returns: 'tls.createSecureContext',
    options: { ...settings, drainTimeoutMs: drainTimeoutMs ?? Number.POSITIVE_INFINITY },
    // Checks on the server itself, because a separate context would cost a millisecond.
    connect: (contextOptions: SecureContextOptions) =>
      serveContext(
        name,
        contextOptions,
        { inherited, before: shorterChain === 'reject' ? slot?.current.options : undefined },
        (complete) => applied.apply(complete),
      ),
  });
  hidePrivateOptions(server);
  Object.defineProperty(server, ATTACHED, { value: true, configurable: true });

  const count: SwapCount = names?.count ?? { swaps: 0 };
  slot = new ContextSlot(count, client.current, drainTimeoutMs);
  const connections = new ConnectionWatch(
    server,
    count,
    (host, acceptedAt) => names?.slotOf(host, acceptedAt) ?? slot,
    () => applied.resumes,
  );
  const drains = drainTimeoutMs !== undefined || names?.drainTimeoutMs !== undefined;
  const http = drains ? new HttpWatch(server, connections) : undefined;
  const leaveNames = names?.join(() => applied.again());
  client.follow({
    // This runs in the same turn as the build, so no connection has arrived since.
    swap: (served) => slot.swap(served),
    drained: (served) => slot.drain(served),
    close(served: ServedContext) {
      // A newer rotation superseded it before the swap, so the server returns to the serving pair.
      if (served !== slot.current && applied.is(served.options)) applied.apply(slot.current.options);
      return slot.force(served);
    },
    connections: () => ({ open: connections.openCount, stale: connections.staleCount }),
  });

  const closing = new Closing();
  const close = () =>
    closing.once(async () => {
      // The server keeps its pair, although the last events of the rotation would say otherwise.
      client.events.clear();
      server.off('close', close);
      connections.stop();
      http?.stop();
      delete (server as { [ATTACHED]?: true })[ATTACHED];
      await Promise.all([client.stop(), leaveNames?.()]);
    });
  server.on('close', close);
  return client.face({ close, [Symbol.asyncDispose]: close });
}

/** The options that the server has: those of the slot, except between a build and its swap. */
class AppliedOptions {
  readonly #name: string;
  readonly #server: Server & { readonly requestCert?: boolean };
  readonly #names: ServerNamesInternals | undefined;
  #current: SecureContextOptions | undefined;
  #resumes = true;

  constructor(name: string, server: Server, names: ServerNamesInternals | undefined) {
    this.#name = name;
    this.#server = server;
    this.#names = names;
  }

  /**
   * False if a session could cross from one name to another whose authorities never checked its client. The server then
   * issues no tickets. A session in the user's own cache may still be resumed, and does not count.
   */
  get resumes(): boolean {
    return this.#resumes;
  }

  is(options: SecureContextOptions): boolean {
    return this.#current === options;
  }

  /** Gives the server these options. Throws without having changed it. */
  apply(options: SecureContextOptions): undefined {
    const names = this.#names?.served() ?? [];
    const served = [options, ...names];
    const sessionIdContext = sessionContext(options.sessionIdContext, served);
    const complete = { ...preferNames(this.#name, options, names), sessionIdContext };
    const resumes =
      this.#server.requestCert === false || !trustsDiffer(served) || bindsSessionsToNames(process.versions);
    const restore = rememberOptions(this.#server);
    try {
      this.#server.setSecureContext(resumes ? complete : withoutTickets(complete));
      this.#current = options;
      this.#resumes = resumes;
    } catch (error) {
      restore();
      throw error;
    }
  }

  /** After the swap of a name: the default context decides which sessions are resumed. */
  again(): void {
    if (this.#current !== undefined) this.apply(this.#current);
  }
}

function assertServer(server: Server & { readonly [ATTACHED]?: true }): void {
  if (typeof server?.setSecureContext !== 'function' || typeof server.on !== 'function') {
    const { bun } = process.versions;
    if (bun !== undefined && typeof server?.listen === 'function') {
      const what = `${WHERE}: a TLS server of Bun ${bun} has no setSecureContext, so its certificate cannot be replaced`;
      const next = 'Run the server on Node, or let a proxy in front of it serve TLS.';
      throw new SecretsError('RUNTIME_UNSUPPORTED', what, { next });
    }
    throw new SecretsError('OPTION_INVALID', `${WHERE} needs a TLS server as its first argument`, {
      next: 'Pass the result of https.createServer, http2.createSecureServer or tls.createServer.',
    });
  }
  if (server[ATTACHED]) {
    throw new SecretsError('OPTION_INVALID', `${WHERE} was given a server that already follows a store`, {
      next: 'Close the first attachment; for several certificates, use createServerNames.',
    });
  }
}

function internalsOrThrow(names: object): ServerNamesInternals {
  const internals = internalsOf(names);
  if (internals !== undefined) return internals;
  throw new SecretsError('OPTION_INVALID', `${WHERE}: \`names\` must come from createServerNames`);
}
