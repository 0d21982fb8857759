import { rotating } from 'hot-secrets';
import Stripe from 'stripe';
import type { Secrets } from '../measure';

export async function useStripe(secrets: Secrets, address: Stripe.StripeConfig) {
  // #region recipe
  const stripe = rotating(
    secrets,
    { build: (s) => new Stripe(s.reveal('password'), address) },
    { isRefused: ({ statusCode }) => statusCode === 401 },
  );
  await stripe.ready;
  // #endregion
  return stripe;
}
