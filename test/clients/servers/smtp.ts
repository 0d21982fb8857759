import { SMTPServer } from 'smtp-server';
import type { Server } from '../measure';
import { startUsers } from './users';

/** A mail server that accepts mail after a login. */
export interface Smtp extends Server {
  readonly host: string;
  readonly port: number;
  received(): number;
}

export async function startSmtp(): Promise<Smtp> {
  const { accepts, ...users } = startUsers();
  const open = new Set<string>();
  let received = 0;
  const server = new SMTPServer({
    disabledCommands: ['STARTTLS'],
    authMethods: ['PLAIN'],
    allowInsecureAuth: true,
    disableReverseLookup: true,
    onAuth({ username, password }, session, done) {
      if (!accepts(password ?? '', username ?? '')) return done(new Error('Invalid login'));
      open.add(session.id);
      done(null, { user: username ?? '' });
    },
    onData(stream, _session, done) {
      stream.resume();
      stream.on('end', () => {
        received += 1;
        done();
      });
    },
    onClose: (session) => void open.delete(session.id),
  });
  server.on('error', () => {});
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.server.address() as { port: number };
  return {
    ...users,
    host: '127.0.0.1',
    port,
    received: () => received,
    sessions: async () => [...open],
    [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(resolve)),
  };
}
