import { mountedFiles, SecretStore } from 'hot-secrets';
import type { StartService } from '../database/service';
import type { Connection, Nats } from './client';

/** The service as it is often written: on a change, it closes the connection and opens a new one. Changes reach it as early. */
export const startNaive =
  ({ connect }: Nats): StartService =>
  async (mountPath, { host, port }) => {
    const secrets = await SecretStore.open({
      secrets: { user: 'db-user', password: 'db-password' },
      sources: [mountedFiles(mountPath)],
    });
    const open = (): Promise<Connection> => {
      const { user, pass } = { user: secrets.reveal('user'), pass: secrets.reveal('password') };
      return connect({ servers: `${host}:${port}`, user, pass });
    };
    let nats = await open();
    secrets.on('change', async () => {
      await nats.close();
      nats = await open().catch(() => nats);
    });
    return {
      send: () => nats.request('orders', 'x', { timeout: 10_000 }),
      async close() {
        await secrets.close();
        await nats.close();
      },
    };
  };
