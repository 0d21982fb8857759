import { randomBytes } from 'node:crypto';
import { connect } from '@nats-io/transport-node';
import { type NatsServer, startNats } from '../../support/nats';
import type { Row, Server } from '../measure';
import { useNats } from '../recipes/nats';

/** Each turn sends a request, which a service with a login of its own answers. */
export const row: Row<Server & NatsServer> = {
  needs: ['nats-server', 'nats-server'],
  server: startServer,
  async start(secrets, { host, port, operator }) {
    const service = await connect({ servers: `${host}:${port}`, ...operator });
    service.subscribe('echo', { callback: (_error, message) => void message.respond(message.data) });
    await service.flush();
    const { nats, login, request } = await useNats(secrets, `${host}:${port}`);
    return {
      async work(turn) {
        const { data } = await request('echo', String(turn));
        if (new TextDecoder().decode(data) !== String(turn)) throw new Error('Another answer came.');
      },
      async close() {
        await login.close();
        await nats.close();
        await service.close();
      },
    };
  },
};

async function startServer(): Promise<Server & NatsServer> {
  const server = await startNats();
  return {
    ...server,
    sessions: async () => (await server.connections()).map(({ key }) => key),
    // The operator removes the user that is no longer used.
    retire: (user) => server.changePassword(user, randomBytes(16).toString('hex')),
  };
}
