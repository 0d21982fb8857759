import { Client } from '@elastic/elasticsearch';
import { rotating } from 'hot-secrets';
import type { Secrets } from '../measure';

export async function useElasticsearch(secrets: Secrets, node: string) {
  // #region recipe
  const base = new Client({ node });
  // A child shares the connections of its parent, which the server does not log in.
  const elastic = rotating(
    secrets,
    {
      build(s) {
        const login = Buffer.from(`${s.reveal('user')}:${s.reveal('password')}`).toString('base64');
        return base.child({ headers: { authorization: `Basic ${login}` } });
      },
    },
    { isRefused: ({ statusCode }) => statusCode === 401 },
  );
  await elastic.ready;
  // #endregion
  return { base, elastic };
}
