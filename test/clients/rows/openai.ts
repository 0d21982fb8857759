import type { Row } from '../measure';
import { useOpenAi } from '../recipes/openai';
import { type Api, credentialsOf, startApi } from '../servers/http';

export const row: Row<Api> = {
  server: () => startApi(credentialsOf, { object: 'list', data: [] }),
  async start(secrets, { host, port }) {
    const { openai, ask } = useOpenAi(secrets, `http://${host}:${port}/v1`);
    return { work: () => ask(async () => openai.models.list()), close: async () => {} };
  },
};
