import { createServer, type IncomingMessage } from 'node:http';
import type { Server } from '../measure';
import { startUsers } from './users';

/** An API that checks a key with each request. */
export interface Api extends Server {
  readonly host: string;
  readonly port: number;
}

/** Starts an API: `keyOf` finds the key in a request, `answer` is the body and the headers of every answer. */
export async function startApi(
  keyOf: (request: IncomingMessage) => string,
  answer: object,
  headers: Readonly<Record<string, string>> = {},
): Promise<Api> {
  const { accepts, ...users } = startUsers();
  const server = createServer((request, response) => {
    request.resume();
    const accepted = accepts(keyOf(request));
    response.writeHead(accepted ? 200 : 401, { 'content-type': 'application/json', ...headers });
    response.end(JSON.stringify(accepted ? answer : { error: { message: 'The key is wrong.' } }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  return {
    ...users,
    host: '127.0.0.1',
    port,
    sessions: async () => [],
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** The part of the header `authorization` after its scheme. */
export const credentialsOf = ({ headers }: IncomingMessage) => headers.authorization?.split(' ')[1] ?? '';

/** The password of HTTP Basic. */
export const basicPassword = (request: IncomingMessage) =>
  Buffer.from(credentialsOf(request), 'base64').toString().split(':').slice(1).join(':');
