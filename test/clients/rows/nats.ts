import { randomBytes } from 'node:crypto';
import { connect } from '@nats-io/transport-node';
import { type NatsServer, startNats } from '../../support/nats';
import type { Row } from '../measure';
import { useNats } from '../recipes/nats';

/** Each turn sends a request, which a service with a login of its own answers. */
export const row: Row<NatsServer> = {
  server: async () => {
    const server = await startNats();
    // The operator removes the user that is no longer used.
    return {
      ...server,
      retire: (user: string) => server.changePassword(user, randomBytes(16).toString('hex')),
    };
  },
  async start(secrets, { host, port, operator }) {
    const service = await connect({ servers: `${host}:${port}`, ...operator });
    service.subscribe('echo', { callback: (_error, message) => message.respond(message.data) });
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
