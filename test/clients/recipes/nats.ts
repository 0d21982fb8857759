import { connect, TimeoutError } from '@nats-io/transport-node';
import { rotating } from 'hot-secrets';
import type { Secrets } from '../measure';

export async function useNats(secrets: Secrets, servers: string) {
  // #region recipe
  // The connection is never rebuilt, so its subscriptions stay. It logs in again with a login that the server accepted.
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
    ignoreAuthErrorAbort: true, // otherwise the client closes for good after two refusals
    maxReconnectAttempts: -1,
    reconnectTimeWait: 250,
  });

  /** NATS ends the sessions of a user that changes. Answers that were under way are lost, so this asks again. */
  async function request(subject: string, data: string, attempts = 10) {
    try {
      return await nats.request(subject, data, { timeout: 1_000 });
    } catch (error) {
      if (!(error instanceof TimeoutError) || attempts === 1) throw error;
      return request(subject, data, attempts - 1);
    }
  }
  // #endregion
  return { nats, login, request };
}
