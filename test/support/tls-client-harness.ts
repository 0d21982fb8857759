import { type MemorySource, memory, SecretStore, secret, type TlsMaterial, type TlsTrust } from 'hot-secrets';
import { onTestFinished } from 'vitest';
import { type Authority, createAuthority, type Issued } from './certificates';
import { type MutualTlsServer, serialOf, startMutualTlsServer } from './mutual-tls';
import { waitFor } from './wait-for';

export interface ClientValues {
  readonly client: TlsMaterial;
  readonly ca: TlsTrust;
}

/** A server that demands client certificates, and a store that holds one. */
export interface ClientHarness {
  readonly authority: Authority;
  readonly server: MutualTlsServer;
  readonly source: MemorySource;
  readonly secrets: SecretStore<ClientValues>;
  /** Rotates the client certificate. Resolves with the new serial number when the store has it. */
  rotate(): Promise<string>;
  /** Rotates to this pair. */
  put(pair: Pick<Issued, 'key'> & { readonly chain: string }): Promise<void>;
  /** Serial number of the first certificate. */
  readonly firstSerial: string;
}

/** `keepPreviousMs` is how long clients trust a replaced authority. */
export async function startClientHarness({ keepPreviousMs = 0 } = {}): Promise<ClientHarness> {
  const authority = await createAuthority();
  const server = await startMutualTlsServer(await authority.issue(), authority);
  const first = await authority.issue({ commonName: 'client' });
  const source = memory({ 'tls.crt': first.chain, 'tls.key': first.key, 'ca.crt': authority.cert });
  const secrets = await SecretStore.open({
    secrets: {
      client: secret.tls({ cert: 'tls.crt', key: 'tls.key' }),
      ca: secret.tls({ ca: 'ca.crt' }, { keepPreviousMs }),
    },
    sources: [source],
  });
  onTestFinished(() => secrets.close());
  const put = async ({ chain, key }: Pick<Issued, 'chain' | 'key'>) => {
    source.set({ 'tls.crt': chain, 'tls.key': key });
    await secrets.refresh();
  };
  return {
    authority,
    server,
    source,
    secrets,
    put,
    firstSerial: serialOf(first),
    async rotate() {
      const next = await authority.issue({ commonName: 'client' });
      await put(next);
      return serialOf(next);
    },
  };
}

/** The options of a test client: its pair and its authorities. */
export function pairAndTrust(s: {
  reveal(name: 'client'): TlsMaterial;
  revealWithPrevious(name: 'ca'): readonly TlsTrust[];
}): TlsMaterial & TlsTrust {
  return { ...s.reveal('client'), ca: s.revealWithPrevious('ca').flatMap(({ ca }) => ca) };
}

/** Waits until a client uses the generation of the store, and has no older connections. */
export async function settled(
  { rotation }: { readonly rotation: { readonly generation: number; readonly staleCount: number } },
  secrets: { readonly generation: number },
): Promise<void> {
  await waitFor(() => rotation.generation === secrets.generation && rotation.staleCount === 0, {
    what: 'the rotation to be over',
  });
}
