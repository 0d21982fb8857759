import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

const CONNECTIONS = 16;
const TIMEOUT_MS = 10_000;

/** Connections to one path of one server, kept alive. */
export interface RequestLoad extends Disposable {
  /** Sends requests, one at a time on each connection. Resolves when all have got the same response as the first. */
  send(requests: number): Promise<void>;
}

/**
 * A minimal client, so that the server limits the rate. It sends the same bytes each time and checks only the length of
 * the response. A full client costs more than a Fastify server.
 */
export async function openLoad(port: number, path: string): Promise<RequestLoad> {
  const request = Buffer.from(`GET ${path} HTTP/1.1\r\nhost: localhost\r\n\r\n`);
  const sockets = await Promise.all(Array.from({ length: CONNECTIONS }, () => open(port)));
  const size = await firstResponse(sockets[0] as Socket, request);
  return {
    async send(requests) {
      let unsent = requests;
      const next = () => unsent-- > 0;
      await Promise.all(sockets.map((socket) => exchange(socket, request, size, next)));
    },
    [Symbol.dispose]() {
      for (const socket of sockets) socket.destroy();
    },
  };
}

async function open(port: number): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true });
  socket.setTimeout(TIMEOUT_MS, () => socket.destroy());
  await once(socket, 'connect');
  return socket;
}

/** The length of a response. It is the same each time, because the date has a fixed length. */
async function firstResponse(socket: Socket, request: Buffer): Promise<number> {
  socket.write(request);
  const [chunk] = (await once(socket, 'data')) as [Buffer];
  const [head = '', body] = chunk.toString('latin1').split('\r\n\r\n');
  const length = Number(/^content-length: (\d+)$/im.exec(head)?.[1]);
  if (!head.startsWith('HTTP/1.1 200 ') || body?.length !== length)
    throw new Error('The first response was incomplete or not a 200.');
  return chunk.length;
}

/** Sends one request after another while `next` returns true. */
function exchange(socket: Socket, request: Buffer, size: number, next: () => boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    let missing = 0;
    const step = () => {
      if (next()) {
        missing = size;
        socket.write(request);
      } else {
        socket.off('data', onData).off('close', onClose);
        resolve();
      }
    };
    const onData = (chunk: Buffer) => {
      missing -= chunk.length;
      if (missing < 0) socket.destroy();
      else if (missing === 0) step();
    };
    const onClose = () => reject(new Error('A response differed from the first.'));
    socket.on('data', onData).on('close', onClose);
    step();
  });
}
