import { once } from 'node:events';
import { rotating } from 'hot-secrets';
import ssh2 from 'ssh2';
import type { Secrets } from '../measure';

export async function useSsh2(secrets: Secrets, address: { host: string; port: number }) {
  // #region recipe
  const ssh = rotating(secrets, {
    async build(s, _signal, onDispose) {
      const login = { username: s.reveal('user'), password: s.reveal('password') };
      const client = new ssh2.Client();
      onDispose(() => void client.end());
      await once(client.connect({ ...address, ...login }), 'ready');
      return client;
    },
  });
  await ssh.ready;
  // #endregion
  return ssh;
}
