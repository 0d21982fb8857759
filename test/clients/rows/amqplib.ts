import amqp from 'amqplib';
import type { Row } from '../measure';
import { useAmqplib } from '../recipes/amqplib';
import { type RabbitMq, startRabbitMq } from '../servers/rabbitmq';

const QUEUE = 'orders';

/** Each turn publishes a message and waits until the server has confirmed it. */
export const row: Row<RabbitMq> = {
  needs: ['rabbitmq-server', 'rabbitmq-server'],
  server: startRabbitMq,
  async start(secrets, { hostname, port, operator }) {
    const observer = await amqp.connect({ hostname, port, ...operator });
    const watching = await observer.createChannel();
    await watching.assertQueue(QUEUE);
    const channel = await useAmqplib(secrets, { hostname, port });
    let sent = 0;
    return {
      async work(turn) {
        await channel.use(
          (current) =>
            new Promise<void>((resolve, reject) => {
              current.sendToQueue(QUEUE, Buffer.from(String(turn)), {}, (error) =>
                error ? reject(error) : resolve(),
              );
            }),
        );
        sent += 1;
      },
      async check() {
        const { messageCount } = await watching.checkQueue(QUEUE);
        return messageCount === sent ? [] : [`${messageCount} of ${sent} messages arrived`];
      },
      async close() {
        await channel.close();
        await observer.close();
      },
    };
  },
};
