import ssh2 from 'ssh2';
import type { Server } from '../measure';
import { startUsers } from './users';

/** An SSH server that accepts passwords and answers each command with itself. */
export interface Ssh extends Server {
  readonly host: string;
  readonly port: number;
}

export async function startSsh(): Promise<Ssh> {
  const { accepts, ...users } = startUsers();
  const open = new Map<string, ssh2.Connection>();
  let opened = 0;
  const { private: hostKey } = ssh2.utils.generateKeyPairSync('ed25519');
  const server = new ssh2.Server({ hostKeys: [hostKey] }, (connection) => {
    opened += 1;
    const key = String(opened);
    connection.on('authentication', (login) => {
      if (login.method !== 'password') return login.reject(['password']);
      if (accepts(login.password, login.username)) login.accept();
      else login.reject();
    });
    connection.on('error', () => {});
    connection.on('close', () => void open.delete(key));
    connection.on('ready', () => {
      open.set(key, connection);
      connection.on('session', (accept) => {
        accept().on('exec', (acceptCommand, _reject, { command }) => {
          const stream = acceptCommand();
          stream.write(command);
          stream.exit(0);
          stream.end();
        });
      });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  return {
    ...users,
    host: '127.0.0.1',
    port,
    sessions: async () => [...open.keys()],
    async [Symbol.asyncDispose]() {
      for (const connection of open.values()) connection.end();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
