import { once } from 'node:events';
import { createServer as createHttp, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createHttps } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { onTestFinished } from 'vitest';

type Key = Awaited<ReturnType<typeof generateKeyPair>>['privateKey'];

export const TENANT = '72f988bf-86f1-41af-91ab-2d7cd011db47';
export const AUDIENCE = 'api://shop-webhook';
export const EVENT_GRID = '4962773b-9cdb-44cf-a8bf-237846a00ab7';
export const V1_ISSUER = `https://sts.windows.net/${TENANT}/`;
export const V2_ISSUER = `https://login.microsoftonline.com/${TENANT}/v2.0`;

// Making an RSA key takes some tenths of a second, so the tenants of a file share their keys.
const pairs: ReturnType<typeof generateKeyPair>[] = [];

/** The n-th key pair of every tenant without keys of its own. */
function keyPair(n: number): ReturnType<typeof generateKeyPair> {
  pairs[n] ??= generateKeyPair('RS256');
  return pairs[n];
}

/** How a token differs from a token of Event Grid. */
export interface TokenOptions {
  /** Added to the default claims, or replacing them. `undefined` removes a claim. */
  readonly claims?: Record<string, unknown>;
  /** Default: 3 600. */
  readonly expiresInS?: number;
  readonly alg?: string;
  readonly kid?: string;
  readonly key?: Key | Uint8Array;
}

/** A tenant that serves its keys on loopback and signs tokens with them. */
export interface Tenant {
  readonly jwksUrl: string;
  /** How often clients fetched the keys. */
  readonly fetches: number;
  /** Sets how the server answers from now on. */
  behave(how: 'serve' | 'fail' | 'hang' | 'html' | 'empty' | 'redirect'): void;
  /** Withdraws the oldest key. */
  withdraw(): void;
  /** Adds a key, which signs from now on. Default: RS256, as Entra ID uses. */
  rotate(alg?: 'RS256' | 'ES256'): Promise<void>;
  token(options?: TokenOptions): Promise<string>;
}

export async function startTenant({
  tls,
  hasOwnKeys = false,
}: {
  readonly tls?: { readonly cert: string; readonly key: string };
  /** Gives the tenant keys that it shares with no other. */
  readonly hasOwnKeys?: boolean;
} = {}): Promise<Tenant> {
  const keys: object[] = [];
  const open = new Set<Socket>();
  let signing: { key: Key; kid: string };
  let how = 'serve';
  let fetches = 0;
  let made = 0;

  const answer = (_request: IncomingMessage, response: ServerResponse) => {
    fetches += 1;
    if (how === 'hang') return;
    const status = how === 'fail' ? 503 : how === 'redirect' ? 302 : 200;
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(how === 'html' ? '<html>' : JSON.stringify({ keys: how === 'empty' ? [] : keys }));
  };
  const server = tls === undefined ? createHttp(answer) : createHttps(tls, answer);
  server.on('connection', (socket: Socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
    for (const socket of open) socket.destroy();
  });

  async function rotate(alg = 'RS256') {
    const shared = alg === 'RS256' && !hasOwnKeys;
    const { publicKey, privateKey } = await (shared ? keyPair(made) : generateKeyPair(alg));
    made += 1;
    const kid = `key-${made}`;
    // Entra ID publishes its keys without `alg`.
    keys.push({ ...(await exportJWK(publicKey)), kid, use: 'sig' });
    signing = { key: privateKey, kid };
  }

  await rotate();
  const { port } = server.address() as AddressInfo;
  return {
    jwksUrl: `${tls === undefined ? 'http://127.0.0.1' : 'https://localhost'}:${port}/keys`,
    get fetches() {
      return fetches;
    },
    behave(next) {
      how = next;
    },
    withdraw: () => void keys.shift(),
    rotate,
    token({ claims = {}, expiresInS = 3_600, alg = 'RS256', kid = signing.kid, key = signing.key } = {}) {
      const now = Math.floor(Date.now() / 1000);
      const usual = {
        aud: AUDIENCE,
        iss: V2_ISSUER,
        azp: EVENT_GRID,
        iat: now,
        nbf: now,
        exp: now + expiresInS,
      };
      return new SignJWT({ ...usual, ...claims }).setProtectedHeader({ alg, kid, typ: 'JWT' }).sign(key);
    },
  };
}
