import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Row } from '../measure';
import { useConnectRedis } from '../recipes/connect-redis';
import { type RedisOfRow, startRedisServer } from '../servers/redis';

/** Each turn stores a session in one request, and reads it back in the next one. */
export const row: Row<RedisOfRow> = {
  needs: ['redis-server', 'redis-server'],
  server: startRedisServer,
  async start(secrets, { host, port }) {
    const { client, sessions } = await useConnectRedis(secrets, `redis://${host}:${port}`, ['signing-key']);
    const server = createServer((request, response) => {
      sessions(request as never, response as never, (error?: unknown) => {
        const { session } = request as IncomingMessage & { session: { turn?: string } };
        const turn = request.headers['x-turn'] as string | undefined;
        if (turn !== undefined) session.turn = turn;
        response
          .writeHead(error === undefined ? 200 : 500)
          .end(error === undefined ? session.turn : String(error));
      });
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    const ask = async (headers: Record<string, string>) => {
      const response = await fetch(url, { headers });
      const text = await response.text();
      if (!response.ok) throw new Error(text);
      return { text, cookie: response.headers.get('set-cookie')?.split(';')[0] };
    };
    return {
      async work(turn) {
        const { cookie = '' } = await ask({ 'x-turn': `turn-${turn}` });
        const { text } = await ask({ cookie });
        if (text !== `turn-${turn}`) throw new Error(`The session of turn ${turn} was not found.`);
      },
      async close() {
        server.closeAllConnections();
        server.close();
        await client.close();
      },
    };
  },
};
