import { chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Attribute, Change, Client } from 'ldapts';
import { findProgram } from '../../support/debian-server';
import { freePort } from '../../support/free-port';
import { runGuarded } from '../../support/postgres-binaries/guard';
import { waitFor } from '../../support/wait-for';
import type { Server } from '../measure';

const HOST = '127.0.0.1';
const SUFFIX = 'dc=example,dc=org';
const ADMIN = { dn: `cn=admin,${SUFFIX}`, password: 'admin-password' };
const NOBODY = { uid: 65534, gid: 65534 };

/** An OpenLDAP server. Its users are `cn=NAME,dc=example,dc=org`. */
export interface Ldap extends Server {
  readonly url: string;
}

export async function startLdap(): Promise<Ldap> {
  const directory = mkdtempSync(join(tmpdir(), 'hot-secrets-ldap-'));
  const runAs = process.getuid?.() === 0 ? NOBODY : undefined;
  const data = join(directory, 'data');
  mkdirSync(data);
  writeFileSync(join(directory, 'slapd.conf'), configuration(directory), { mode: 0o644 });
  if (runAs !== undefined) for (const path of [directory, data]) chownSync(path, runAs.uid, runAs.gid);
  const url = `ldap://${HOST}:${await freePort()}`;
  const open = new Set<string>();
  let refused = 0;
  const slapd = runGuarded(
    [findProgram('slapd') as string, '-f', join(directory, 'slapd.conf'), '-h', url, '-d', '256'],
    directory,
    runAs,
    (line) => {
      if (/RESULT tag=97 err=49/.test(line)) refused += 1;
      const [, bound] = /(conn=\d+) op=\d+ BIND dn="cn=app_\w+,[^"]*" mech=SIMPLE/.exec(line) ?? [];
      if (bound !== undefined) open.add(bound);
      const [, closed] = /(conn=\d+) fd=\d+ closed/.exec(line) ?? [];
      if (closed !== undefined) open.delete(closed);
    },
  );
  const admin = await waitFor(
    async () => {
      const client = new Client({ url });
      await client.bind(ADMIN.dn, ADMIN.password);
      return client;
    },
    { what: 'slapd to start', timeoutMs: 30_000 },
  );
  await admin.add(SUFFIX, { objectClass: ['dcObject', 'organization'], dc: 'example', o: 'Example' });
  const known = new Set<string>();
  return {
    url,
    refused: () => refused,
    sessions: async () => [...open],
    async changePassword(user, password) {
      const dn = `cn=${user},${SUFFIX}`;
      if (known.has(user)) {
        const modification = new Attribute({ type: 'userPassword', values: [password] });
        await admin.modify(dn, new Change({ operation: 'replace', modification }));
      } else {
        const objectClass = ['organizationalRole', 'simpleSecurityObject'];
        await admin.add(dn, { objectClass, cn: user, userPassword: password });
        known.add(user);
      }
    },
    async [Symbol.asyncDispose]() {
      await admin.unbind();
      await slapd.stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

const configuration = (directory: string) => `include /etc/ldap/schema/core.schema
pidfile ${directory}/slapd.pid
database ldif
suffix "${SUFFIX}"
rootdn "${ADMIN.dn}"
rootpw ${ADMIN.password}
directory ${directory}/data
access to attrs=userPassword by anonymous auth by * none
access to * by users read by anonymous auth
`;
