import amqp from 'amqplib';
import { rotating } from 'hot-secrets';
import type { Secrets } from '../measure';

export async function useAmqplib(secrets: Secrets, address: { hostname: string; port: number }) {
  // #region recipe
  const channel = rotating(secrets, {
    async build(s, _signal, onDispose) {
      const login = { username: s.reveal('user'), password: s.reveal('password') };
      const connection = await amqp.connect({ ...address, ...login });
      connection.on('error', (error) => console.error(error.message));
      onDispose(() => connection.close());
      return connection.createConfirmChannel();
    },
    drain: (channel) => channel.waitForConfirms(),
  });
  await channel.ready;
  // #endregion
  return channel;
}
