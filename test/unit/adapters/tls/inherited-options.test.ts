import { constants } from 'node:crypto';
import { createSecureServer } from 'node:http2';
import { createServer as createHttpsServer } from 'node:https';
import { createServer, type Server, type TlsOptions } from 'node:tls';
import { format, inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { hidePrivateOptions, inheritedOptions } from '../../../../src/adapters/tls/inherited-options';
import { createAuthority } from '../../../support/certificates';
import { linesOf } from '../../../support/tls-harness';

const authority = await createAuthority();
const { cert, key } = await authority.issue();
const settings: TlsOptions = {
  ca: authority.cert,
  ciphers: 'ECDHE-ECDSA-AES256-GCM-SHA384',
  dhparam: 'auto',
  ecdhCurve: 'P-256',
  honorCipherOrder: false,
  maxVersion: 'TLSv1.3',
  minVersion: 'TLSv1.2',
  secureOptions: constants.SSL_OP_NO_TICKET,
  sessionIdContext: 'app',
  sessionTimeout: 60,
  sigalgs: 'ECDSA+SHA256',
};

const makers: Record<string, (options: TlsOptions) => Server> = {
  tls: (options) => createServer(options),
  https: (options) => createHttpsServer(options),
  http2: (options) => createSecureServer(options),
};

describe.each(Object.entries(makers))('the options of a %s server', (kind, create) => {
  it(`reads the options of a ${kind} server without its pair, also after setSecureContext`, () => {
    const server = create({ ...settings, cert, key, ticketKeys: Buffer.alloc(48) });
    const inherited = inheritedOptions(server);
    expect(inherited).toEqual(settings);
    for (let round = 0; round < 3; round += 1) server.setSecureContext({ ...inherited, cert, key });
    expect(inheritedOptions(server)).toEqual(settings);
  });

  it(`hides the key, passphrase and ticket keys of a ${kind} server when it is printed`, () => {
    const server = create({});
    hidePrivateOptions(server);
    for (let round = 0; round < 3; round += 1) {
      server.setSecureContext({ cert, key, passphrase: 'a passphrase', ticketKeys: Buffer.alloc(48, 8) });
      const shown = `${inspect(server, { depth: 10, showHidden: true })} ${format('%o', server)}`;
      for (const line of linesOf(key)) expect(shown).not.toContain(line);
      expect(shown).not.toMatch(/a passphrase|08 08 08/);
    }
    expect(server).toHaveProperty('key', key);
  });
});

it('inherits no option that was not passed', () => {
  expect(Object.keys(inheritedOptions(createServer())).sort()).toEqual([
    'honorCipherOrder',
    'sessionIdContext',
  ]);
});
