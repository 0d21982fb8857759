import type { Row } from '../measure';
import { useOpenAi } from '../recipes/openai';
import { type Api, credentialsOf, startApi } from '../servers/http';

export const row: Row<Api> = {
  server: () => startApi(credentialsOf, { object: 'list', data: [] }),
  async start(secrets, { host, port }) {
    const openai = await useOpenAi(secrets, `http://${host}:${port}/v1`);
    return { work: () => openai.use(async (client) => client.models.list()), close: () => openai.close() };
  },
};
