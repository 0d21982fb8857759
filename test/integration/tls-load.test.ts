import { createServer, type TlsOptions } from 'node:tls';
import { memory, SecretStore, secret } from 'hot-secrets';
import { attachSecureContext } from 'hot-secrets/tls';
import { describe, expect, it } from 'vitest';
import { createAuthority } from '../support/certificates';
import { startLoad } from '../support/load';
import { handshake, listen } from '../support/tls-harness';
import { waitFor } from '../support/wait-for';

describe('the handshakes of an attached server', () => {
  it.each([
    [100, 'TLS 1.3', 'TLSv1.3', false],
    [30, 'TLS 1.2', 'TLSv1.2', false],
    [30, 'TLS 1.3 and client certificates', 'TLSv1.3', true],
    [30, 'TLS 1.2 and client certificates', 'TLSv1.2', true],
  ] as const)(
    'fails no handshake in %d swaps, and presents every pair, with %s',
    async (swaps, _what, maxVersion, mutual) => {
      const authority = await createAuthority();
      const names = ['pair-0', 'pair-1', 'pair-2', 'pair-3'];
      const pairs = await Promise.all(names.map((commonName) => authority.issue({ commonName })));
      const client = await authority.issue({ commonName: 'client' });
      const source = memory({ cert: pairs[0]?.cert, key: pairs[0]?.key, ca: authority.cert });
      await using secrets = await SecretStore.open({
        secrets: { pair: secret.tls({ cert: 'cert', key: 'key' }), ca: secret.tls({ ca: 'ca' }) },
        sources: [source],
      });
      const options: TlsOptions = mutual ? { requestCert: true, rejectUnauthorized: true } : {};
      // The text proves that the server accepted the client: with TLS 1.3, the client's handshake ends before that.
      const server = createServer(options, (socket) => socket.on('error', () => {}).end('welcome'));
      await using context = attachSecureContext(server, secrets, (s) => ({
        ...s.reveal('pair'),
        ...(mutual ? s.reveal('ca') : {}),
      }));
      const port = await listen(server);
      const seen = new Map<string, number>();
      const load = startLoad(4, async () => {
        const own = mutual ? { cert: client.cert, key: client.key } : {};
        const { socket, commonName } = await handshake(port, { ca: authority.cert, maxVersion, ...own });
        socket.setEncoding('utf8');
        let text = '';
        for await (const chunk of socket) text += chunk;
        if (text !== 'welcome') throw new Error(`got "${text}"`);
        seen.set(commonName, (seen.get(commonName) ?? 0) + 1);
      });
      for (let swap = 1; swap <= swaps; swap += 1) {
        const next = pairs[swap % pairs.length];
        source.set({ cert: next?.cert, key: next?.key });
        const reached = load.done + 2;
        await waitFor(() => context.generation === swap + 1 && load.done >= reached);
      }
      const { failures, done } = await load.stop();
      expect(failures).toEqual([]);
      expect(done).toBeGreaterThan(2 * swaps);
      expect([...seen.keys()].sort()).toEqual(names);
    },
  );
});
