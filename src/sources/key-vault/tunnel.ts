import { AsyncLocalStorage } from 'node:async_hooks';
import { request as httpRequest, type RequestOptions } from 'node:http';
import { Agent, request as httpsRequest } from 'node:https';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import type { SecretsError } from '../../errors';
import { errorCode } from '../../internal/describe-error';
import { proxyRefused } from './connection-errors';

/** A request while it waits for its connection. */
export interface Attempt {
  readonly signal: AbortSignal;
  /** Why the proxy did not connect. The client would lose it. */
  failure: SecretsError | undefined;
}

/** The attempt in whose context an agent is asked for a connection. */
export const attempts = new AsyncLocalStorage<Attempt>();

type Connected = (error: Error | null, socket: Duplex) => void;

/**
 * Connects through a proxy with CONNECT. The agent of the clients keeps a connection to a proxy that accepts and never
 * answers, even if its request was given up. This one ends it with its request, and all of them with `destroy()`.
 */
export class TunnelAgent extends Agent {
  readonly #proxy: URL;
  readonly #pending = new Set<AbortController>();

  constructor(proxy: URL, idleMs: number) {
    super({ keepAlive: true, timeout: idleMs });
    this.#proxy = proxy;
  }

  override createConnection(options: RequestOptions, connected?: Connected): Duplex | null | undefined {
    const attempt = attempts.getStore();
    const ending = new AbortController();
    const end = () => ending.abort();
    attempt?.signal.addEventListener('abort', end, { once: true });
    if (attempt?.signal.aborted) end();
    this.#pending.add(ending);
    this.#connect(options, ending.signal)
      .then(
        (socket) =>
          connected?.(null, super.createConnection({ ...options, socket } as RequestOptions) as Duplex),
        (error) => {
          // No failure of the proxy, if the request was given up.
          if (attempt?.signal.aborted === false) attempt.failure = this.#explain(error, options);
          (connected as ((error: Error) => void) | undefined)?.(error);
        },
      )
      .finally(() => {
        this.#pending.delete(ending);
        attempt?.signal.removeEventListener('abort', end);
      });
    return undefined;
  }

  override destroy(): void {
    for (const pending of this.#pending) pending.abort();
    super.destroy();
  }

  #connect({ host, port }: RequestOptions, signal: AbortSignal): Promise<Duplex> {
    const { protocol, hostname, port: proxyPort, username, password } = this.#proxy;
    const target = `${host?.includes(':') ? `[${host}]` : host}:${port}`;
    const login = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString(
      'base64',
    );
    const request = protocol === 'https:' ? httpsRequest : httpRequest;
    const asked = request({
      method: 'CONNECT',
      host: hostname.replace(/^\[|\]$/g, ''),
      port: proxyPort || (protocol === 'https:' ? 443 : 80),
      path: target,
      headers: { host: target, ...(username || password ? { 'proxy-authorization': `Basic ${login}` } : {}) },
      agent: false,
    });
    return new Promise((resolve, reject) => {
      signal.addEventListener('abort', () => {
        endSocket(asked.socket);
        asked.destroy();
        reject(new ProxyAnswer(undefined));
      });
      asked.on('error', reject);
      asked.on('response', ({ statusCode }) => {
        asked.destroy();
        reject(new ProxyAnswer(statusCode));
      });
      asked.on('connect', ({ statusCode }, socket) => {
        if (statusCode === 200 && !signal.aborted) return resolve(socket);
        socket.destroy();
        reject(new ProxyAnswer(statusCode));
      });
      asked.end();
    });
  }

  #explain(error: unknown, { host }: RequestOptions): SecretsError {
    const { protocol, host: address } = this.#proxy;
    const status = error instanceof ProxyAnswer ? error.status : undefined;
    const cause = status === undefined ? ` (${errorCode(error) ?? 'no answer'})` : '';
    return proxyRefused(`the proxy ${protocol}//${address}${cause}`, status, host ?? '');
  }
}

/** Ends a connection with a reset, because the other side may never read the end of a stream. */
export function endSocket(socket: Duplex | null | undefined): void {
  // A reset waits until the socket is connected. One with TLS has none.
  if (socket instanceof Socket && !socket.connecting && !(socket instanceof TLSSocket))
    socket.resetAndDestroy();
  else socket?.destroy();
}

class ProxyAnswer extends Error {
  readonly status: number | undefined;

  constructor(status: number | undefined) {
    super('the proxy did not connect');
    this.status = status;
  }
}

/** The proxy of the environment for `url`, by the rules of the Azure clients. */
export function proxyOf(url: URL): URL | undefined {
  const variable = (name: string) => process.env[name] || process.env[name.toLowerCase()];
  const proxy = variable('HTTPS_PROXY') || variable('ALL_PROXY') || variable('HTTP_PROXY');
  if (!proxy || !URL.canParse(proxy)) return undefined;
  const { hostname } = url;
  const excluded = (variable('NO_PROXY') ?? '').split(',').map((one) => one.trim());
  const isExcluded = excluded.some((one) =>
    one.startsWith('.')
      ? hostname.endsWith(one) || hostname === one.slice(1)
      : one !== '' && hostname === one,
  );
  return isExcluded ? undefined : new URL(proxy);
}
