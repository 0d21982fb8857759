import { startNats } from '../../../test/support/nats';
import { type Database, newPassword, ROLES } from '../database/database';
import type { Nats } from './client';

/** A NATS server with two users, and a service on it that answers every request after 20 ms. */
export async function startServer({ connect }: Nats): Promise<Database> {
  const server = await startNats();
  const { host, port, operator } = server;
  for (const role of ROLES) await server.changePassword(role, newPassword());
  const responder = await connect({ servers: `${host}:${port}`, ...operator, maxReconnectAttempts: -1 });
  responder.subscribe('orders', {
    callback: (_error, message) => void setTimeout(() => message.respond(message.data), 20),
  });
  await responder.flush();
  const change = async (role: string) => {
    const password = newPassword();
    await server.changePassword(role, password);
    return password;
  };
  return {
    address: { host, port, database: '' },
    changePassword: change,
    rejectedLogins: server.refused,
    connections: server.connections,
    retire: async (role) => void (await change(role)),
    async [Symbol.asyncDispose]() {
      await responder.close();
      await server[Symbol.asyncDispose]();
    },
  };
}
