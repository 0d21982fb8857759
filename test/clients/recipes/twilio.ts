import { rotating } from 'hot-secrets';
import twilio from 'twilio';
import type { Secrets } from '../measure';

export async function useTwilio(secrets: Secrets, accountSid: string) {
  // #region recipe
  // A key and its secret: the client opens no connection, so none needs draining.
  const client = rotating(
    secrets,
    {
      build: (s) => twilio(s.reveal('user'), s.reveal('password'), { accountSid }),
      verify: (client) => client.api.accounts(accountSid).fetch(),
    },
    { isRefused: ({ status }) => status === 401 },
  );
  await client.ready;
  // #endregion
  return client;
}
