import type { Client as SshClient } from 'ssh2';
import type { Row } from '../measure';
import { useSsh2 } from '../recipes/ssh2';
import { type Ssh, startSsh } from '../servers/ssh';

/** Each turn runs a command in a session of its own. */
export const row: Row<Ssh> = {
  server: startSsh,
  async start(secrets, { host, port }) {
    const ssh = await useSsh2(secrets, { host, port });
    return {
      work: (turn) =>
        ssh.use(async (client) => {
          const output = await execute(client, `echo ${turn}`);
          if (output !== `echo ${turn}`) throw new Error('Another command was answered.');
        }),
      close: () => ssh.close(),
    };
  },
};

function execute(client: SshClient, command: string): Promise<string> {
  return new Promise((resolve, reject) => {
    client.exec(command, (error, stream) => {
      if (error) return reject(error);
      let output = '';
      stream.on('data', (data: Buffer) => {
        output += data;
      });
      stream.on('close', () => resolve(output));
    });
  });
}
