import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readTokenFile } from '../../../../src/sources/key-vault/credentials';
import { asOtherUser, canDropPrivileges } from '../../../support/as-other-user';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hot-secrets-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const token = (claims: unknown, signature = 'c2lnbmF0dXJl') =>
  `eyJhbGciOiJSUzI1NiJ9.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.${signature}`;

function read(content: string) {
  const path = join(folder, 'token');
  writeFileSync(path, content);
  return readTokenFile(path);
}

describe('the file of a projected token', () => {
  it('reads the subject, issuer, audience and expiry of a projected token', () => {
    const claims = {
      iss: 'https://westeurope.oic.prod-aks.azure.com/tenant/id/',
      sub: 'system:serviceaccount:shop:web',
      aud: ['api://AzureADTokenExchange'],
      exp: 1_900_000_000,
    };
    expect(read(`${token(claims)}\n`)).toEqual({
      state: 'token',
      facts: {
        issuer: claims.iss,
        subject: claims.sub,
        audience: 'api://AzureADTokenExchange',
        expiresAt: new Date(1_900_000_000_000),
      },
    });
    expect(read(token({ ...claims, aud: ['one', 'two'], exp: undefined }))).toMatchObject({
      facts: { audience: 'one, two', expiresAt: undefined },
    });
  });

  it('distinguishes token files that are missing, unreadable, empty or without a token', () => {
    expect(readTokenFile(join(folder, 'nowhere'))).toEqual({ state: 'missing' });
    mkdirSync(join(folder, 'directory'));
    expect(readTokenFile(join(folder, 'directory'))).toEqual({ state: 'unreadable' });
    expect(read(' \n')).toEqual({ state: 'empty' });
    for (const other of ['password', 'a.b', 'a.b.c', `a.${Buffer.from('null').toString('base64url')}.c`]) {
      expect(read(other)).toEqual({ state: 'no token' });
    }
  });

  it('repeats only token claims that look like a name or an address', () => {
    const claims = { iss: 'pass word', sub: 'x'.repeat(300), aud: 7 };
    expect(read(token(claims))).toMatchObject({ facts: { issuer: '?', subject: '?', audience: '?' } });
  });

  it.skipIf(!canDropPrivileges)(
    'reports a token file as unreadable when this user may not read it',
    async () => {
      const path = join(folder, 'token');
      writeFileSync(path, token({}), { mode: 0o600 });
      chmodSync(path, 0);
      chmodSync(folder, 0o755);
      expect(await asOtherUser(async () => readTokenFile(path))).toEqual({ state: 'unreadable' });
    },
  );
});
