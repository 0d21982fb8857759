import type { Row } from '../measure';
import { useLdapts } from '../recipes/ldapts';
import { type Ldap, startLdap } from '../servers/ldap';

/** Each turn searches for the entries of the users. */
export const row: Row<Ldap> = {
  needs: ['slapd', 'slapd'],
  server: startLdap,
  async start(secrets, { url }) {
    const ldap = await useLdapts(secrets, url);
    return {
      work: () =>
        ldap.use(async (client) => {
          const filter = '(objectClass=organizationalRole)';
          const { searchEntries } = await client.search('dc=example,dc=org', { filter });
          if (searchEntries.length !== 2) throw new Error('The users were not found.');
        }),
      close: () => ldap.close(),
    };
  },
};
