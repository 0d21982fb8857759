import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect, createSecureContext, createServer } from 'node:tls';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createAuthority } from '../support/certificates';
import { createPfx } from '../support/pfx';

const KEYS = ['ec', 'rsa'] as const;

describe('the test authority', () => {
  it.each(KEYS)('issues %s certificates that both sides trust through two intermediates', async (key) => {
    const root = await createAuthority();
    const issuer = await (await root.intermediate()).intermediate('Lower');
    const [own, peers] = await Promise.all([1, 2].map(() => issuer.issue({ key })));
    const server = createServer({
      ...{ cert: own?.chain, key: own?.key, ca: root.cert },
      ...{ requestCert: true, rejectUnauthorized: true },
    });
    onTestFinished(() => void server.close());
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    server.on('secureConnection', (socket) => socket.end(`${socket.getPeerX509Certificate()?.serialNumber}`));

    const { port } = server.address() as AddressInfo;
    const client = connect({ port, host: '127.0.0.1', ca: root.cert, cert: peers?.chain, key: peers?.key });
    const [seen] = await once(client, 'data');
    expect(client.authorized).toBe(true);
    expect(`${seen}`).toBe(new X509Certificate(peers?.cert ?? '').serialNumber);
  });

  it('issues certificates that have expired or are not valid yet', async () => {
    const authority = await createAuthority();
    const year = 365 * 86_400_000;
    const past = new X509Certificate((await authority.issue({ notAfter: new Date(Date.now() - year) })).cert);
    const later = new X509Certificate(
      (await authority.issue({ notBefore: new Date(Date.now() + year) })).cert,
    );
    for (const one of [past, later]) expect(Date.parse(one.validFrom)).toBeLessThan(Date.parse(one.validTo));
    expect(Date.parse(past.validTo)).toBeLessThan(Date.now());
    expect(Date.parse(later.validFrom)).toBeGreaterThan(Date.now());
  });
});

describe('the PFX files of createPfx', () => {
  const issue = async (key: 'ec' | 'rsa') => (await (await createAuthority()).intermediate()).issue({ key });
  const read = (pfx: Buffer, passphrase?: string) => () =>
    createSecureContext(passphrase === undefined ? { pfx } : { pfx, passphrase });

  it.each(KEYS)(
    'writes PFX files with %s keys that Node reads, with and without a password',
    async (kind) => {
      const { chain: cert, key } = await issue(kind);
      for (const encryption of ['aes256', '3des'] as const) {
        const locked = createPfx({ cert, key, encryption, password: 'opens it' });
        expect(read(locked, 'opens it')).not.toThrow();
        expect(read(locked, 'does not')).toThrow('mac verify failure');
        expect(read(createPfx({ cert, key, encryption }))).not.toThrow();
      }
    },
  );

  it.each(KEYS)('writes RC2 PFX files with %s keys that Node refuses only for the cipher', async (kind) => {
    const { chain: cert, key } = await issue(kind);
    const pfx = createPfx({ cert, key, encryption: 'rc2-40', password: 'opens it' });
    expect(read(pfx, 'opens it')).toThrow(
      expect.objectContaining({ code: 'ERR_CRYPTO_UNSUPPORTED_OPERATION' }),
    );
    expect(read(pfx, 'does not')).toThrow('mac verify failure');
  });
});
