import { setTimeout as sleep } from 'node:timers/promises';
import * as grpc from '@grpc/grpc-js';
import { type MemorySource, memory, SecretStore, secret, type TlsMaterial, type TlsTrust } from 'hot-secrets';
import { onTestFinished } from 'vitest';
import { type Authority, createAuthority, type Issued } from './certificates';

const text = {
  requestSerialize: (value: string) => Buffer.from(value),
  requestDeserialize: String,
  responseSerialize: (value: string) => Buffer.from(value),
  responseDeserialize: String,
};

/** A service without a `.proto` file: each method answers with the serial number of the client's certificate, or with metadata. */
const definition = {
  serial: { path: '/test.Seen/Serial', requestStream: false, responseStream: false, ...text },
  metadata: { path: '/test.Seen/Metadata', requestStream: false, responseStream: false, ...text },
  /** Answers once for each message. */
  echo: { path: '/test.Seen/Echo', requestStream: true, responseStream: true, ...text },
} satisfies grpc.ServiceDefinition;

const SeenClient = grpc.makeGenericClientConstructor(definition, 'Seen');

export interface GrpcServer {
  readonly server: grpc.Server;
  readonly port: number;
  /** The address to drain. */
  readonly address: string;
}

type Call = { getAuthContext(): { readonly sslPeerCertificate?: { readonly serialNumber: string } } };

const serialOf = (call: unknown) =>
  (call as Call).getAuthContext().sslPeerCertificate?.serialNumber ?? 'none';

/** Starts a server with these credentials, and closes it when the test ends. */
export async function startGrpcServer(
  credentials: grpc.ServerCredentials,
  options: grpc.ServerOptions = {},
): Promise<GrpcServer> {
  const server = new grpc.Server(options);
  server.addService(definition, {
    serial: (call: grpc.ServerUnaryCall<string, string>, done: grpc.sendUnaryData<string>) =>
      done(null, serialOf(call)),
    metadata: (call: grpc.ServerUnaryCall<string, string>, done: grpc.sendUnaryData<string>) =>
      done(null, JSON.stringify(call.metadata.getMap())),
    echo: (call: grpc.ServerDuplexStream<string, string>) => {
      call.on('data', () => call.write(serialOf(call)));
      call.on('end', () => call.end());
      call.on('error', () => {});
    },
  });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', credentials, (error, bound) => (error ? reject(error) : resolve(bound)));
  });
  onTestFinished(() => server.forceShutdown());
  return { server, port, address: `127.0.0.1:${port}` };
}

/** A client with its own connections. */
export interface GrpcClient {
  serial(): Promise<string>;
  metadata(): Promise<Record<string, string>>;
  /** Sends messages with pauses on one stream; resolves with the answers. */
  stream(messages: number, pauseMs: number): Promise<string[]>;
  close(): void;
}

export function openGrpcClient(
  { port }: Pick<GrpcServer, 'port'>,
  credentials: grpc.ChannelCredentials,
  options: grpc.ChannelOptions = {},
): GrpcClient {
  const client = new SeenClient(`localhost:${port}`, credentials, {
    // Each client shakes hands itself.
    'grpc.use_local_subchannel_pool': 1,
    'grpc.initial_reconnect_backoff_ms': 50,
    ...options,
  });
  onTestFinished(() => client.close());
  const unary = (method: 'serial' | 'metadata') =>
    new Promise<string>((resolve, reject) => {
      const call = client[method] as (...args: unknown[]) => void;
      const deadline = Date.now() + 20_000;
      call.call(client, 'ask', { deadline }, (error: Error | null, answer: string) =>
        error === null ? resolve(answer) : reject(error),
      );
    });
  return {
    serial: () => unary('serial'),
    metadata: async () => JSON.parse(await unary('metadata')) as Record<string, string>,
    async stream(messages, pauseMs) {
      const call = (client.echo as () => grpc.ClientDuplexStream<string, string>).call(client);
      const answers: string[] = [];
      call.on('data', (answer: string) => answers.push(answer));
      const ended = new Promise<void>((resolve, reject) => call.on('end', resolve).on('error', reject));
      ended.catch(() => {});
      for (let sent = 0; sent < messages; sent += 1) {
        call.write(String(sent));
        await sleep(pauseMs);
      }
      call.end();
      await ended;
      return answers;
    },
    close: () => client.close(),
  };
}

export interface GrpcValues {
  readonly pair: TlsMaterial;
  readonly ca: TlsTrust;
}

/** One side of a connection: its store, as a process of its own would have it. */
export interface GrpcSide {
  readonly source: MemorySource;
  readonly secrets: SecretStore<GrpcValues>;
  /** Puts a pair, authorities, or both, at once. */
  put(next: { readonly pair?: Issued; readonly ca?: string }): Promise<void>;
}

export async function openGrpcSide(pair: Issued, ca: string): Promise<GrpcSide> {
  const source = memory({ 'tls.crt': pair.chain, 'tls.key': pair.key, 'ca.crt': ca });
  const secrets = await SecretStore.open({
    secrets: { pair: secret.tls({ cert: 'tls.crt', key: 'tls.key' }), ca: secret.tls({ ca: 'ca.crt' }) },
    sources: [source],
  });
  onTestFinished(() => secrets.close());
  return {
    source,
    secrets,
    async put({ pair: next, ca: trusted }) {
      source.set({
        ...(next === undefined ? {} : { 'tls.crt': next.chain, 'tls.key': next.key }),
        ...(trusted === undefined ? {} : { 'ca.crt': trusted }),
      });
      await secrets.refresh();
    },
  };
}

/** Both sides of mutual TLS, under one authority. */
export async function startGrpcSides(): Promise<{
  readonly authority: Authority;
  readonly server: GrpcSide;
  readonly client: GrpcSide;
  readonly first: { readonly server: Issued; readonly client: Issued };
}> {
  const authority = await createAuthority();
  const first = {
    server: await authority.issue(),
    client: await authority.issue({ commonName: 'client' }),
  };
  return {
    authority,
    first,
    server: await openGrpcSide(first.server, authority.cert),
    client: await openGrpcSide(first.client, authority.cert),
  };
}

/** The options of both sides. */
export function pairAndCa(s: { reveal(name: 'pair'): TlsMaterial } & { reveal(name: 'ca'): TlsTrust }) {
  return { ...s.reveal('pair'), ...s.reveal('ca') };
}
