import { rotating } from 'hot-secrets';
import { Client } from 'ldapts';
import type { Secrets } from '../measure';

export async function useLdapts(secrets: Secrets, url: string) {
  // #region recipe
  const ldap = rotating(secrets, {
    async build(s, _signal, onDispose) {
      const login = { dn: `cn=${s.reveal('user')},dc=example,dc=org`, password: s.reveal('password') };
      const client = new Client({ url });
      onDispose(() => client.unbind());
      await client.bind(login.dn, login.password);
      return client;
    },
  });
  await ldap.ready;
  // #endregion
  return ldap;
}
