import { rotating } from 'hot-secrets';
import { MongoClient } from 'mongodb';
import type { Secrets } from '../measure';
import { patiently } from './patiently';

export async function useMongoDb(secrets: Secrets, url: string) {
  // #region recipe
  const mongo = rotating(secrets, {
    build: (s) =>
      new MongoClient(url, {
        auth: { username: s.reveal('user'), password: s.reveal('password') },
      }).connect(),
    verify: (client) => client.db().command({ ping: 1 }),
    dispose: (client) => client.close(),
  });
  await mongo.ready;

  /** Runs one operation or one transaction. 18 is AuthenticationFailed. */
  function run<T>(work: (client: MongoClient) => Promise<T>): Promise<T> {
    return patiently(
      secrets,
      ({ code }) => code === 18,
      () => mongo.use(work),
    );
  }
  // #endregion
  return { mongo, run };
}
