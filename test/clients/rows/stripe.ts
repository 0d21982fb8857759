import type { Row } from '../measure';
import { useStripe } from '../recipes/stripe';
import { type Api, credentialsOf, startApi } from '../servers/http';

export const row: Row<Api> = {
  server: () => startApi(credentialsOf, { object: 'balance', available: [], pending: [] }),
  async start(secrets, { host, port }) {
    const stripe = await useStripe(secrets, { host, port, protocol: 'http', telemetry: false });
    return { work: () => stripe.use((client) => client.balance.retrieve()), close: () => stripe.close() };
  },
};
