import { mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { succeed } from '../../../test/package/support/repository';

const CLIENT = '@nats-io/transport-node';
const VERSION = '3.4.0';

export interface Login {
  readonly user: string;
  readonly pass: string;
}

/** The options that this demo uses. */
export interface ConnectOptions extends Partial<Login> {
  readonly servers: string;
  readonly authenticator?: () => Login;
  readonly ignoreAuthErrorAbort?: boolean;
  readonly maxReconnectAttempts?: number;
  readonly reconnectTimeWait?: number;
}

interface Message {
  readonly data: Uint8Array;
  respond(data: Uint8Array): boolean;
}

export interface Connection {
  request(subject: string, data: string, options: { timeout: number }): Promise<Message>;
  subscribe(subject: string, options: { callback(error: Error | null, message: Message): void }): void;
  flush(): Promise<void>;
  close(): Promise<void>;
}

/** The client of NATS. */
export interface Nats {
  connect(options: ConnectOptions): Promise<Connection>;
  readonly TimeoutError: new (...args: never[]) => Error;
}

/** Installs the client outside of this repository, which does not depend on it, and loads it. */
export async function loadNats(): Promise<Nats> {
  const folder = join(tmpdir(), `hot-secrets-demo-nats-${VERSION}`);
  const require = createRequire(join(folder, 'importer.js'));
  try {
    return require(CLIENT) as Nats;
  } catch {
    mkdirSync(folder, { recursive: true });
    const quiet = ['--prefer-offline', '--ignore-scripts', '--no-audit', '--no-fund'];
    const install = ['install', '--prefix', folder, ...quiet, `${CLIENT}@${VERSION}`];
    await succeed('npm', install, { cwd: folder });
    return require(CLIENT) as Nats;
  }
}
