import { Client } from '@elastic/elasticsearch';
import type { Secrets } from '../measure';
import { patiently } from './patiently';

export function useElasticsearch(secrets: Secrets, node: string) {
  // #region recipe
  const base = new Client({ node });
  // A child shares the connections of its parent, which the server does not log in.
  const elastic = () => {
    const s = secrets.snapshot();
    const login = Buffer.from(`${s.reveal('user')}:${s.reveal('password')}`).toString('base64');
    return base.child({ headers: { authorization: `Basic ${login}` } });
  };
  const ask = <T>(work: (client: Client) => Promise<T>) =>
    patiently(
      secrets,
      ({ statusCode }) => statusCode === 401,
      () => work(elastic()),
    );
  // #endregion
  return { base, ask };
}
