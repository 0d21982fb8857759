import { Agent, type IncomingMessage, request } from 'node:http';
import type { Socket } from 'node:net';
import { type SecretStore, SecretsError, type Snapshot } from 'hot-secrets';
import { type ClientRotationOptions, clientOptions, RotatingClient } from '../../src/rotation/client';
import { OpenSockets } from '../../src/rotation/open-sockets';

interface TokenOptions {
  readonly port: number;
  readonly token: string;
}

/** The token and the kept-alive connections of one generation. */
class TokenConnector {
  readonly sockets = new OpenSockets();
  readonly #agent = new Agent({ keepAlive: true });
  readonly #options: TokenOptions;

  constructor(options: TokenOptions) {
    this.#options = options;
  }

  /** Requests a path. Resolves with the body, and rejects with `CREDENTIAL_REFUSED` for a 401. */
  get(path: string, signal?: AbortSignal): Promise<string> {
    const { port, token } = this.#options;
    return new Promise((resolve, reject) => {
      const headers = { authorization: `Bearer ${token}` };
      const sent = request({ port, path, headers, agent: this.#agent, signal }, async (response) => {
        const body = await bodyOf(response);
        if (response.statusCode !== 401) return resolve(body);
        return reject(new SecretsError('CREDENTIAL_REFUSED', 'the server refuses the token'));
      });
      sent.on('socket', (socket: Socket) => this.sockets.has(socket) || this.sockets.add(socket));
      sent.on('error', reject).end();
    });
  }

  /** Closes idle connections now, and busy ones after their request. */
  retire(): void {
    Object.assign(this.#agent, { keepAlive: false });
    for (const socket of Object.values(this.#agent.freeSockets).flat()) socket?.destroy();
  }
}

/** The smallest adapter: an HTTP client with a token. `RotatingClient` does all of its rotation. */
export function createTokenClient<V>(
  store: SecretStore<V>,
  recipe: (snapshot: Snapshot<V>) => TokenOptions,
  options: ClientRotationOptions = {},
) {
  const client = new RotatingClient('createTokenClient', {
    kind: 'token-client',
    store,
    recipe,
    returns: 'a token client',
    options: clientOptions('createTokenClient', options, 'token client', {}),
    refusals: true,
    connect: (tokenOptions: TokenOptions) => new TokenConnector(tokenOptions),
    verify: (connector, signal) => connector.get('/', signal),
  });
  client.follow({
    // Requests use `client.current`, so there is nothing to do.
    swap: () => {},
    openCount: ({ sockets }) => sockets.size,
    drained: (connector, signal) => {
      connector.retire();
      return connector.sockets.empty(signal);
    },
    close: ({ sockets }) => sockets.destroy(),
  });
  return client.expose({
    async get(path: string): Promise<string> {
      try {
        return await client.current.get(path);
      } catch (error) {
        if ((error as { code?: unknown }).code === 'CREDENTIAL_REFUSED')
          client.refused(error as SecretsError, 1);
        throw error;
      }
    },
    close: () => client.stop(),
  });
}

async function bodyOf(response: IncomingMessage): Promise<string> {
  let body = '';
  for await (const chunk of response) body += chunk;
  return body;
}
