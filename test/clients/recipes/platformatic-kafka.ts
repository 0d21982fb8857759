import { Producer, stringSerializers } from '@platformatic/kafka';
import type { Secrets } from '../measure';

export function usePlatformaticKafka(secrets: Secrets, bootstrapBrokers: string[]) {
  // #region recipe
  const producer = new Producer({
    clientId: 'orders',
    bootstrapBrokers,
    serializers: stringSerializers,
    sasl: {
      mechanism: 'SCRAM-SHA-512',
      username: () => secrets.reveal('user'),
      password: () => secrets.reveal('password'),
    },
  });
  // #endregion
  return producer;
}
