import { mountedFiles, rotating, SecretStore } from 'hot-secrets';
import type { StartService } from '../database/service';
import type { Nats } from './client';

/** The service with hot-secrets: one connection for its whole life, which logs in with a login that the server accepted. */
export const startHotSecrets =
  ({ connect, TimeoutError }: Nats): StartService =>
  async (mountPath, { host, port }, tell) => {
    const servers = `${host}:${port}`;
    const secrets = await SecretStore.open({
      secrets: { user: 'db-user', password: 'db-password' },
      sources: [mountedFiles(mountPath)],
    });
    secrets.on('error', (error) => tell(error.message));
    const login = rotating(secrets, {
      async build(s) {
        const login = { user: s.reveal('user'), pass: s.reveal('password') };
        await (await connect({ servers, ...login })).close();
        return login;
      },
    });
    await login.ready;
    const nats = await connect({
      servers,
      authenticator: () => login.current,
      ignoreAuthErrorAbort: true,
      maxReconnectAttempts: -1,
      reconnectTimeWait: 100,
    });
    // NATS ends the sessions of a user that changes. Answers that were under way are lost, so the service asks again.
    const request = async (attempts = 20): Promise<unknown> => {
      try {
        return await nats.request('orders', 'x', { timeout: 500 });
      } catch (error) {
        if (!(error instanceof TimeoutError) || attempts === 1) throw error;
        return request(attempts - 1);
      }
    };
    return {
      send: () => request(),
      async close() {
        await login.close();
        await nats.close();
        await secrets.close();
      },
    };
  };
