import type { SecretStore } from '../store/types';

/** What is needed of a server of `node:http`, `node:https`, `node:http2` or `@hono/node-server`. */
export interface ClosingServer {
  once(event: 'close', listener: () => void): unknown;
}

/**
 * Closes the store when the server has closed: after its last request. For frameworks that do not say when an application
 * ends. Resolves when the store is closed, too.
 *
 * @example
 * ```ts
 * const server = app.listen(8080);
 * void closeWithServer(server, secrets);
 * process.once('SIGTERM', () => server.close());
 * ```
 */
export function closeWithServer(
  server: ClosingServer,
  store: Pick<SecretStore<unknown>, 'close'>,
): Promise<void> {
  return new Promise((resolve) => {
    // A store's close never rejects.
    server.once('close', () => resolve(store.close()));
  });
}
