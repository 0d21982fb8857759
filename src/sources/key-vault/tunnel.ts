import { AsyncLocalStorage } from 'node:async_hooks';
import { type RequestOptions, request } from 'node:http';
import { Agent } from 'node:https';
import { connect as connectTcp, isIP, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect as connectTls, TLSSocket } from 'node:tls';
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

/** The callback of an agent's `createConnection`. */
export type Connected = (error: Error | null, socket: Duplex) => void;

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

  async #connect({ host, port }: RequestOptions, signal: AbortSignal): Promise<Duplex> {
    const { protocol, hostname, port: proxyPort, username, password } = this.#proxy;
    const target = `${host?.includes(':') ? `[${host}]` : host}:${port}`;
    const login = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString(
      'base64',
    );
    const address = hostname.replace(/^\[|\]$/g, '');
    const socket =
      protocol === 'https:'
        ? connectTls({
            host: address,
            port: Number(proxyPort || 443),
            servername: isIP(address) ? '' : address,
          })
        : connectTcp({ host: address, port: Number(proxyPort || 80) });
    const asked = request({
      method: 'CONNECT',
      path: target,
      headers: { host: target, ...(username || password ? { 'proxy-authorization': `Basic ${login}` } : {}) },
      createConnection: () => socket,
    });
    return new Promise((resolve, reject) => {
      const end = () => {
        endSocket(socket);
        reject(new ProxyAnswer(undefined));
      };
      asked.on('error', reject);
      if (signal.aborted) return end();
      signal.addEventListener('abort', end, { once: true });
      asked.on('response', ({ statusCode }) => {
        socket.destroy();
        reject(new ProxyAnswer(statusCode));
      });
      asked.on('connect', ({ statusCode }) => {
        signal.removeEventListener('abort', end);
        if (statusCode === 200) return resolve(socket);
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

/** Ends a connection with a reset, because the other side may never read what was sent, nor the end of the stream. */
export function endSocket(socket: Duplex): void {
  // TLS has no reset. While a socket connects, nothing was sent, and a reset would wait for the connection.
  if (socket instanceof Socket && !(socket instanceof TLSSocket) && !socket.connecting)
    socket.resetAndDestroy();
  else socket.destroy();
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
