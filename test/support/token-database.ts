import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** Issues tokens that expire, as Entra ID does. Down, it fails requests; what it issued stays valid. */
export class TokenIssuer {
  down = false;
  /** Requests, failed ones included. */
  asked = 0;
  readonly #lifetimeMs: number;
  /** Tokens, with the time of their issue and their end by `performance.now()`. */
  readonly #issued = new Map<string, { readonly from: number; readonly until: number }>();

  constructor(lifetimeMs: number) {
    this.#lifetimeMs = lifetimeMs;
  }

  /** The option `fetch` of `token`. */
  readonly fetch = async (): Promise<{ token: string; expiresInMs: number }> => {
    this.asked += 1;
    if (this.down) throw new Error('the issuer is down');
    const token = randomBytes(24).toString('hex');
    const from = performance.now();
    this.#issued.set(token, { from, until: from + this.#lifetimeMs });
    return { token, expiresInMs: this.#lifetimeMs };
  };

  get issued(): number {
    return this.#issued.size;
  }

  isValid(token: string): boolean {
    return (this.#issued.get(token)?.until ?? 0) > performance.now();
  }

  /** True if there is a valid token that was issued at least `ageMs` ago. */
  hasValid(ageMs: number): boolean {
    const now = performance.now();
    return [...this.#issued.values()].some(({ from, until }) => now - from >= ageMs && until > now);
  }
}

/** A login that was refused: its token had expired, or never existed. */
export interface RefusedLogin {
  /** True if a valid token existed for long enough that the client should have used it. */
  readonly avoidable: boolean;
}

/** A database that takes the tokens of an issuer as passwords. */
export interface TokenDatabase extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  /** Number of logins with a valid token. */
  readonly accepted: number;
  readonly refused: readonly RefusedLogin[];
}

/** How long a client may take from the arrival of a token to its use. */
export const USE_MS = 250;

/**
 * Stands in front of a PostgreSQL that trusts it, asks each client for its password in clear, and accepts every token that has
 * not expired. PostgreSQL itself keeps one password for each role, so it cannot accept two tokens. Everything after the login
 * is between the client and PostgreSQL.
 */
export async function startTokenDatabase(
  target: { host: string; port: number },
  issuer: TokenIssuer,
): Promise<TokenDatabase> {
  const sockets = new Set<Socket>();
  const refused: RefusedLogin[] = [];
  let accepted = 0;
  const track = (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket)).on('error', () => socket.destroy());
    return socket;
  };
  const server = createServer((client) => {
    void login(track(client)).catch(() => client.destroy());
  });

  async function login(client: Socket): Promise<void> {
    const startup = await nextMessage(client, 0);
    client.write(ASK_FOR_PASSWORD);
    const answer = await nextMessage(client, 1);
    if (!issuer.isValid(answer.subarray(5, -1).toString())) {
      refused.push({ avoidable: issuer.hasValid(USE_MS) });
      client.end(refusal());
      return;
    }
    accepted += 1;
    const upstream = track(connect(target));
    upstream.write(startup);
    client.pipe(upstream).pipe(client);
    client.once('close', () => upstream.destroy());
    upstream.once('close', () => client.destroy());
  }

  server.listen(0, target.host);
  await once(server, 'listening');
  return {
    host: target.host,
    port: (server.address() as AddressInfo).port,
    refused,
    get accepted() {
      return accepted;
    },
    async [Symbol.asyncDispose]() {
      server.close();
      for (const socket of sockets) socket.destroy();
      await once(server, 'close');
    },
  };
}

/** AuthenticationCleartextPassword: https://www.postgresql.org/docs/current/protocol-message-formats.html */
const ASK_FOR_PASSWORD = Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 3]);

/** An ErrorResponse as of a wrong password. */
function refusal(): Buffer {
  const fields = Buffer.from('SFATAL\0VFATAL\0C28P01\0Mpassword authentication failed\0\0');
  const head = Buffer.alloc(5, 'E');
  head.writeInt32BE(fields.length + 4, 1);
  return Buffer.concat([head, fields]);
}

/** Reads one message, whose length stands at `offset`. A client sends nothing more before it gets an answer. */
async function nextMessage(client: Socket, offset: number): Promise<Buffer> {
  let received = Buffer.alloc(0);
  while (received.length < offset + 4 || received.length < offset + received.readInt32BE(offset)) {
    client.resume();
    const [part] = (await once(client, 'data')) as [Buffer];
    // Without a listener, what comes next would be lost.
    client.pause();
    received = Buffer.concat([received, part]);
  }
  return received;
}
