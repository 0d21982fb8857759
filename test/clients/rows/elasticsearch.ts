import type { Row } from '../measure';
import { useElasticsearch } from '../recipes/elasticsearch';
import { type Api, basicPassword, startApi } from '../servers/http';

const PRODUCT = { 'x-elastic-product': 'Elasticsearch' };

export const row: Row<Api> = {
  server: () =>
    startApi(basicPassword, { count: 1, _shards: { total: 1, successful: 1, failed: 0 } }, PRODUCT),
  async start(secrets, { host, port }) {
    const { base, elastic } = await useElasticsearch(secrets, `http://${host}:${port}`);
    return {
      work: () => elastic.use((client) => client.count({ index: 'orders' })),
      async close() {
        await elastic.close();
        await base.close();
      },
    };
  },
};
