import { RedisStore } from 'connect-redis';
import session from 'express-session';
import { createClient } from 'hot-secrets/redis';
import type { Secrets } from '../measure';

export async function useConnectRedis(secrets: Secrets, url: string, keys: string[]) {
  // #region recipe
  const client = createClient(secrets, (s) => ({
    url,
    username: s.reveal('user'),
    password: s.reveal('password'),
  }));
  client.on('error', (error) => console.error(error.message));
  await client.connect();
  const sessions = session({
    store: new RedisStore({ client }),
    secret: keys,
    resave: false,
    saveUninitialized: false,
  });
  // #endregion
  return { client, sessions };
}
