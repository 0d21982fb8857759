import Stripe from 'stripe';
import type { Secrets } from '../measure';
import { patiently } from './patiently';

export function useStripe(secrets: Secrets, address: Stripe.StripeConfig) {
  // #region recipe
  const stripe = new Stripe('', {
    ...address,
    authenticator: async (request) => {
      Object.assign(request.headers, { Authorization: `Bearer ${secrets.reveal('password')}` });
    },
  });
  const ask = <T>(work: () => Promise<T>) => patiently(secrets, ({ statusCode }) => statusCode === 401, work);
  // #endregion
  return { stripe, ask };
}
