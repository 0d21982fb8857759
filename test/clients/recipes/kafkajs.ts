import { Kafka } from 'kafkajs';
import type { Secrets } from '../measure';

export function useKafkaJs(secrets: Secrets, brokers: string[]) {
  // #region recipe
  // KafkaJS keeps this object, and reads it at each authentication.
  const sasl = {
    mechanism: 'scram-sha-512' as const,
    get username() {
      return secrets.reveal('user');
    },
    get password() {
      return secrets.reveal('password');
    },
  };
  const kafka = new Kafka({ brokers, ssl: true, sasl });
  // A consumer that is refused crashes for good: start it again.
  const consumer = kafka.consumer({ groupId: 'orders' });
  consumer.on(consumer.events.CRASH, ({ payload }) => {
    if (!payload.restart) void consumer.connect();
  });
  // #endregion
  return { kafka, consumer };
}
