import { SecretsError } from '../../errors';

/**
 * Tells whether a topic is one of these, or lies below one: `/subscriptions/ID` allows all of a subscription. Without
 * regard to case, as Azure treats resource ids. Without `topics`, every topic is allowed.
 */
export function topicFilter(
  where: string,
  topics: readonly string[] | undefined,
): (topic: string) => boolean {
  if (topics === undefined) return () => true;
  const usable = Array.isArray(topics) && topics.length > 0 && topics.every(isTopic);
  if (!usable) {
    throw new SecretsError('OPTION_INVALID', `topics of ${where} is no list of resource ids`, {
      next: 'Give it ids such as /subscriptions/…/providers/Microsoft.KeyVault/vaults/NAME, or leave it out.',
    });
  }
  const allowed = topics.map(plain);
  return (topic) => allowed.some((one) => `${plain(topic)}/`.startsWith(`${one}/`));
}

function isTopic(topic: unknown): boolean {
  return typeof topic === 'string' && plain(topic) !== '';
}

function plain(topic: string): string {
  return topic.trim().toLowerCase().replace(/\/+$/, '');
}
