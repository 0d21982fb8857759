import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { onTestFinished } from 'vitest';

/** A request as the server saw it. */
export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/**
 * An HTTP API that wants a key, as a bearer token or as `x-api-key`. It answers with the method and body of the request, or with 401 and
 * `refused: KEY NUMBER`. `/to?URL` redirects with the status of `/to/STATUS`; `/open` wants no key.
 */
export interface ApiServer {
  readonly origin: string;
  /** The keys that it accepts. Assign to revoke the others at once. */
  keys: readonly string[];
  readonly seen: readonly SeenRequest[];
}

export async function startApiServer(...keys: readonly string[]): Promise<ApiServer> {
  const seen: SeenRequest[] = [];
  const server = createServer(async (request, response) => {
    const body = await text(request);
    const { method = '', url = '', headers } = request;
    const { pathname, search } = new URL(url, 'http://localhost');
    seen.push({ method, path: pathname, headers, body });
    const key = headers.authorization?.replace(/^Bearer /, '') ?? headers['x-api-key'];
    if (pathname !== '/open' && !api.keys.includes(String(key))) {
      response.writeHead(401, { 'content-type': 'text/plain' }).end('refused by the server');
    } else if (pathname.startsWith('/to')) {
      const status = Number(pathname.split('/')[2] ?? 302);
      response.writeHead(status, { location: decodeURIComponent(search.slice(1)) }).end();
    } else {
      response.writeHead(200, { 'content-type': 'text/plain' }).end(`${method} ${body}`);
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const api: ApiServer & { keys: readonly string[] } = { origin: `http://127.0.0.1:${port}`, keys, seen };
  return api;
}
