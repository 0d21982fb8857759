import { rotating } from 'hot-secrets';
import { MongoClient } from 'mongodb';
import type { Secrets } from '../measure';

export async function useMongoDb(secrets: Secrets, url: string) {
  // #region recipe
  const mongo = rotating(
    secrets,
    {
      build: (s) =>
        new MongoClient(url, {
          auth: { username: s.reveal('user'), password: s.reveal('password') },
        }).connect(),
      verify: (client) => client.db().command({ ping: 1 }),
      dispose: (client) => client.close(),
    },
    { isRefused: ({ code }) => code === 18 }, // AuthenticationFailed
  );
  await mongo.ready;
  // #endregion
  return mongo;
}
