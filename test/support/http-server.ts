import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo, Server, Socket } from 'node:net';
import { onTestFinished } from 'vitest';

export type Listener = (request: IncomingMessage, response: ServerResponse) => unknown;

/** Starts a server on loopback, and closes it when the test ends. Resolves with its port. */
export async function listen(server: Server): Promise<number> {
  const open = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
    for (const socket of open) socket.destroy();
  });
  return (server.address() as AddressInfo).port;
}

export async function serve(listener: Listener): Promise<string> {
  return `http://127.0.0.1:${await listen(createServer(listener))}`;
}

/** Opens a POST request whose body the test sends. */
export function openRequest(url: string, headers: Record<string, string | number>) {
  const asked = request(url, { method: 'POST', headers });
  const answered = new Promise<{ status: number | undefined; headers: IncomingMessage['headers'] }>(
    (resolve, reject) => {
      asked.on('response', (response) => {
        response.resume();
        resolve({ status: response.statusCode, headers: response.headers });
      });
      asked.on('error', reject);
    },
  );
  // A test may ignore the answer.
  answered.catch(() => {});
  return { asked, answered };
}
