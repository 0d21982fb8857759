import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { describeError } from '../../internal/describe-error';
import type { ServerIdentity } from './certificates';

/** A request with its whole body. */
export interface HostRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

export interface HostResponse {
  readonly status: number;
  /** Added to the headers that every response of this host has. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON; `undefined` for no body at all. */
  readonly body: unknown;
  /** The content type of a `body` that is sent as text. */
  readonly type?: string;
  /** How the delivery of the response fails. Default: it succeeds. */
  readonly delivery?: 'cut' | 'hang-before-headers' | 'hang-in-body' | 'reset';
}

/** One of the two hosts: the vault or Entra ID. */
export interface Host {
  readonly name: string;
  respond(request: HostRequest): Promise<HostResponse>;
  /** The headers of every response. */
  headers(request: HostRequest): Record<string, string>;
}

/** A header that is sent at most once. */
export function header(request: HostRequest, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value[0] : value;
}

/** The record of one request, without its headers and body. */
export interface KeyVaultRequest {
  readonly at: Date;
  readonly host: string;
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  /** `undefined` until there is a response. */
  readonly status: number | undefined;
}

const MAX_BODY_BYTES = 1024 * 1024;

/** Serves both hosts from one port of 127.0.0.1, without keeping the process alive. */
export class EmulatorServer {
  readonly requests: KeyVaultRequest[] = [];
  readonly #hosts: readonly Host[];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(hosts: readonly Host[], { cert, key }: ServerIdentity) {
    this.#hosts = hosts;
    this.#server = createServer({ cert, key }, (request, response) => void this.#serve(request, response));
    // A server that closes an idle connection just as a client reuses it would fail that client's request.
    this.#server.keepAliveTimeout = 0;
    this.#server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket.unref());
      socket.on('close', () => this.#sockets.delete(socket));
    });
  }

  static async start(hosts: readonly Host[], identity: ServerIdentity): Promise<EmulatorServer> {
    const emulator = new EmulatorServer(hosts, identity);
    await new Promise<void>((resolve, reject) => {
      emulator.#server.once('error', reject);
      emulator.#server.listen(0, '127.0.0.1', resolve);
    });
    emulator.#server.unref();
    return emulator;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get openSockets(): number {
    return this.#sockets.size;
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      for (const socket of this.#sockets) socket.destroy();
    });
  }

  async #serve(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    outgoing.on('error', () => {});
    try {
      const request = await readRequest(incoming);
      const { method, url } = request;
      const host = this.#hosts.find(({ name }) => name === url.hostname);
      const entry = {
        at: new Date(),
        host: url.hostname,
        method,
        path: url.pathname,
        status: undefined as number | undefined,
      };
      this.requests.push(entry);
      const response = host === undefined ? misdirected(url.hostname) : await host.respond(request);
      entry.status = send(outgoing, response, host?.headers(request) ?? {});
    } catch (error) {
      // Either the client is gone, or the emulator has a bug, which must not look like an outage.
      if (!outgoing.destroyed) send(outgoing, emulatorFailed(error), {});
    }
  }
}

async function readRequest(incoming: IncomingMessage): Promise<HostRequest> {
  const { method = 'GET', headers, url } = incoming;
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) throw new RangeError('too large');
    chunks.push(chunk);
  }
  const body = Buffer.concat(chunks).toString();
  return { method, headers, url: new URL(`https://${headers.host}${url}`), body };
}

/** Sends a response, or breaks it as its `delivery` says. Returns the status if it was sent. */
function send(
  outgoing: ServerResponse,
  { status, body, type: textType, delivery, headers = {} }: HostResponse,
  common: Readonly<Record<string, string>>,
): number | undefined {
  if (delivery === 'hang-before-headers') return undefined;
  if (delivery === 'reset') {
    outgoing.destroy();
    return undefined;
  }
  const text = textType === undefined ? JSON.stringify(body) : String(body);
  const json = Buffer.from(body === undefined ? '' : text);
  const sent = delivery === 'cut' ? json.subarray(0, -2) : json;
  const type = body === undefined ? {} : { 'Content-Type': textType ?? 'application/json; charset=utf-8' };
  outgoing.writeHead(status, { ...common, ...type, 'Content-Length': sent.length, ...headers });
  if (delivery === 'hang-in-body') outgoing.write(sent.subarray(0, Math.ceil(sent.length / 2)));
  else outgoing.end(sent);
  return status;
}

function emulatorFailed(error: unknown): HostResponse {
  const message = `The emulator failed with ${describeError(error)}.`;
  return { status: 500, body: { error: { code: 'EmulatorFailed', message } } };
}

function misdirected(host: string): HostResponse {
  const message = `The emulator does not serve the host "${host}".`;
  return { status: 421, body: { error: { code: 'MisdirectedRequest', message } } };
}
