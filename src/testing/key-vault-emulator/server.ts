import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { describeError } from '../../internal/describe-error';
import type { Answer, Asked, Service } from './answer';
import type { ServerIdentity } from './certificates';
import { deliver } from './deliver';
import type { KeyVaultRequest } from './types';

const MOST_BODY_BYTES = 1024 * 1024;

/** Serves the two hosts from one port of 127.0.0.1, and keeps no process alive. */
export class EmulatorServer {
  readonly requests: KeyVaultRequest[] = [];
  readonly #services: readonly Service[];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(services: readonly Service[], { cert, key }: ServerIdentity) {
    this.#services = services;
    this.#server = createServer({ cert, key }, (request, response) => void this.#serve(request, response));
    // An idle connection that the server gives up just when a client takes it fails that client's request.
    this.#server.keepAliveTimeout = 0;
    this.#server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket.unref());
      socket.on('close', () => this.#sockets.delete(socket));
    });
  }

  static async start(services: readonly Service[], identity: ServerIdentity): Promise<EmulatorServer> {
    const own = new EmulatorServer(services, identity);
    await new Promise<void>((resolve, reject) => {
      own.#server.once('error', reject);
      own.#server.listen(0, '127.0.0.1', resolve);
    });
    own.#server.unref();
    return own;
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

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.on('error', () => {});
    try {
      const asked = await readWhole(request);
      const { method, url } = asked;
      const host = url.hostname;
      const entry = {
        at: new Date(),
        host,
        method,
        path: url.pathname,
        status: undefined as number | undefined,
      };
      this.requests.push(entry);
      const service = this.#services.find((one) => one.host === host);
      const answer = service === undefined ? misdirected(host) : await service.answer(asked);
      entry.status = deliver(response, answer, service?.headers(asked) ?? {});
    } catch (error) {
      // The client is gone, or the emulator has a bug, which should not look like the weather.
      if (response.destroyed) return;
      deliver(response, failed(error), {});
    }
  }
}

async function readWhole(request: IncomingMessage): Promise<Asked> {
  const { method = 'GET', headers } = request;
  return {
    method,
    headers,
    url: new URL(`https://${headers.host}${request.url}`),
    body: await bodyOf(request),
  };
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MOST_BODY_BYTES) throw new RangeError('too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

function failed(error: unknown): Answer {
  const message = `The emulator failed with ${describeError(error)}.`;
  return { status: 500, body: { error: { code: 'EmulatorFailed', message } } };
}

function misdirected(host: string): Answer {
  const message = `The emulator does not serve the host "${host}".`;
  return { status: 421, body: { error: { code: 'MisdirectedRequest', message } } };
}
