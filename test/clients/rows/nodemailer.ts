import type { Row } from '../measure';
import { useNodemailer } from '../recipes/nodemailer';
import { type Smtp, startSmtp } from '../servers/smtp';

/** Each turn sends a mail. Connections end after 5 mails, so that new logins are needed at any time. */
export const row: Row<Smtp> = {
  server: startSmtp,
  async start(secrets, server) {
    const { host, port } = server;
    const { mailer, send } = await useNodemailer(secrets, { host, port, maxMessages: 5 });
    let sent = 0;
    return {
      async work(turn) {
        await send({ from: 'app@example.com', to: 'user@example.com', subject: `Mail ${turn}`, text: 'x' });
        sent += 1;
      },
      async check() {
        return server.received() === sent ? [] : [`${server.received()} of ${sent} mails arrived`];
      },
      close: () => mailer.close(),
    };
  },
};
