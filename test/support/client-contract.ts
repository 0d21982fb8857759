import { memory, SecretStore, type SecretsError, type Snapshot } from 'hot-secrets';
import type { ClientRotation, ClientRotationOptions } from 'hot-secrets/https';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createAuthority } from './certificates';
import { startLoad } from './load';
import { serialOf, startMutualTlsServer } from './mutual-tls';
import { type ClientValues, pairAndTrust, settled, startClientHarness } from './tls-client-harness';
import { waitFor } from './wait-for';

/** The TLS options of a client. */
export interface PairOptions {
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  readonly ca: string | string[];
}

/** A client under test. */
export interface ContractClient {
  readonly rotation: ClientRotation;
}

/** What the contract needs to know about an HTTPS client. */
export interface ClientContractHarness<C extends ContractClient> {
  /** The default name of the client. */
  readonly name: string;
  /** The error code of a request whose connection the client closes at the drain timeout. */
  readonly closedCode: string;
  /**
   * Makes a client, and closes it when the test ends. With `keepAlive: false`, each request opens a connection, one at a
   * time, which still resumes TLS sessions.
   */
  make<V>(
    secrets: SecretStore<V>,
    pair: (s: Snapshot<V>) => PairOptions,
    options?: ClientRotationOptions,
    settings?: { readonly keepAlive?: boolean },
  ): C;
  /** Requests a URL; resolves with the body. */
  get(client: C, url: string): Promise<string>;
}

/** The rules that every HTTPS client keeps when its secrets rotate. */
export function clientContract<C extends ContractClient>(harness: ClientContractHarness<C>): void {
  const { make, get, name, closedCode } = harness;
  const open = (
    secrets: SecretStore<ClientValues>,
    options: ClientRotationOptions = {},
    settings: { readonly keepAlive?: boolean } = {},
  ) => make(secrets, pairAndTrust, options, settings);

  describe('a rotation of the client certificate', () => {
    it('resumes TLS sessions of the current client certificate only', async () => {
      const { server, secrets, firstSerial, rotate } = await startClientHarness();
      const client = open(secrets, {}, { keepAlive: false });
      let serial = firstSerial;
      for (let round = 0; round < 4; round += 1) {
        if (round > 0) serial = await rotate();
        await settled(client, secrets);
        // The second request shows that the client does resume sessions.
        for (const _request of [1, 2]) expect(await get(client, server.origin)).toBe(serial);
        expect(server.connections.slice(-2)).toEqual([
          { serial, resumed: false },
          { serial, resumed: true },
        ]);
      }
    });

    it('lets running requests finish on their old connection, and then closes it', async () => {
      const { server, secrets, firstSerial, rotate } = await startClientHarness();
      const client = open(secrets);
      const drained: unknown[] = [];
      client.rotation.on('drained', (event) => drained.push(event));
      const long = get(client, `${server.origin}/held`);
      await waitFor(() => server.heldCount === 1);
      for (const round of [1, 2, 3]) {
        const serial = await rotate();
        await waitFor(() => client.rotation.generation === round + 1);
        expect(await get(client, server.origin)).toBe(serial);
      }
      // The generations in between had only idle connections.
      await waitFor(() => client.rotation.staleCount === 1 && drained.length === 2);
      server.release();
      expect(await long).toBe(firstSerial);
      await waitFor(() => drained.length === 3);
      expect(drained[2]).toEqual({ name, generation: 1, forced: false, durationMs: expect.any(Number) });
      await waitFor(() => server.openCount === 1);
      expect(client.rotation.staleCount).toBe(0);
    });

    it('keeps using the old pair while the new one is invalid, reports it once, and then uses a valid one', async () => {
      const { authority, server } = await startClientHarness();
      const first = await authority.issue();
      const pairs = memory({ cert: first.chain, key: first.key });
      const secrets = await SecretStore.open({ secrets: { cert: 'cert', key: 'key' }, sources: [pairs] });
      onTestFinished(() => secrets.close());
      const client = make(
        secrets,
        (s) => ({ cert: s.reveal('cert'), key: s.reveal('key'), ca: authority.cert }),
        { name: 'billing client', retryBaseMs: 1, retryMaxMs: 5 },
      );
      const rejected: SecretsError[] = [];
      client.rotation.on('rejected', ({ error }) => rejected.push(error));
      const load = startLoad(4, () => get(client, server.origin));

      const [good, other] = [await authority.issue(), await authority.issue()];
      for (const bad of [
        { cert: good.chain, key: other.key },
        { cert: 'no certificate', key: other.key },
        { cert: good.chain, key: 'no key' },
      ]) {
        const before = rejected.length;
        pairs.set(bad);
        await waitFor(() => rejected.length === before + 1);
        const reached = load.done + 20;
        await waitFor(() => load.done > reached);
        expect(client.rotation).toMatchObject({ generation: 1, staleCount: 0 });
      }
      pairs.set({ cert: good.chain, key: good.key });
      await waitFor(() => client.rotation.generation === 5);
      expect(await get(client, server.origin)).toBe(serialOf(good));
      expect((await load.stop()).failures).toEqual([]);
      expect(rejected.map(({ code }) => code)).toEqual(Array(3).fill('TLS_OPTIONS_INVALID'));
      for (const { message, resource } of rejected) {
        expect(message).toContain('billing client');
        expect(resource).toBe('billing client');
      }
    });

    it('closes connections with an old client certificate at drainTimeoutMs', async () => {
      const { server, secrets, rotate } = await startClientHarness();
      const client = open(secrets, { drainTimeoutMs: 50 });
      const errors: SecretsError[] = [];
      const drained: unknown[] = [];
      client.rotation.on('error', (error) => errors.push(error));
      client.rotation.on('drained', (event) => drained.push(event));
      const long = get(client, `${server.origin}/held`);
      long.catch(() => {});
      await waitFor(() => server.heldCount === 1);
      await rotate();
      await expect(long).rejects.toMatchObject({ code: closedCode });
      await waitFor(() => drained.length === 1);
      expect(drained).toEqual([expect.objectContaining({ generation: 1, forced: true })]);
      expect(errors.map(({ code }) => code)).toEqual(['DRAIN_TIMEOUT']);
      await waitFor(() => server.openCount === 0);
    });
  });

  describe('a rotation of the authority', () => {
    it('trusts both authorities while the old one is in its grace window, and then only the new one', async () => {
      const { server, secrets, source, authority: old } = await startClientHarness({ keepPreviousMs: 3_000 });
      const young = await createAuthority('Young Authority');
      // This server keeps its certificate of the old authority.
      const outdated = await startMutualTlsServer(await old.issue(), old);
      const client = open(secrets);
      const swapped: unknown[] = [];
      client.rotation.on('swapped', (event) => swapped.push(event));
      const load = startLoad(4, () => get(client, server.origin));
      await get(client, outdated.origin);

      source.set({ 'ca.crt': young.cert });
      await waitFor(() => swapped.length === 1);
      server.show(await young.issue());
      const reached = load.done + 20;
      await waitFor(() => load.done > reached);
      // After two requests, the client has a kept-alive connection and a session to drop.
      for (const _request of [1, 2]) await get(client, outdated.origin);
      expect(swapped).toHaveLength(1);

      await waitFor(() => swapped.length === 2);
      expect(secrets.generation).toBe(2);
      await expect(get(client, outdated.origin)).rejects.toMatchObject({
        code: 'SELF_SIGNED_CERT_IN_CHAIN',
      });
      await get(client, server.origin);
      expect((await load.stop()).failures).toEqual([]);
      await settled(client, secrets);
    });
  });
}
