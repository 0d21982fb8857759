import { rotating } from 'hot-secrets';
import nodemailer, { type SendMailOptions } from 'nodemailer';
import type { Secrets } from '../measure';

export async function useNodemailer(
  secrets: Secrets,
  server: { host: string; port: number; maxMessages?: number },
) {
  // #region recipe
  const mailer = rotating(
    secrets,
    {
      build: (s) =>
        nodemailer.createTransport({
          ...server,
          pool: true,
          auth: { user: s.reveal('user'), pass: s.reveal('password') },
        }),
      verify: (transport) => transport.verify(),
      dispose: (transport) => transport.close(),
    },
    { isRefused: ({ code }) => code === 'EAUTH' },
  );
  await mailer.ready;

  /** `use` keeps the transport open until the mail is out: close() would fail the mails in its queue. */
  function send(mail: SendMailOptions) {
    return mailer.use((transport) => transport.sendMail(mail));
  }
  // #endregion
  return { mailer, send };
}
