import type { InspectOptions } from 'node:util';
import { builtin, inspectCustom } from '../../internal/builtins';
import type { Listenable } from '../../internal/events';
import { hide } from '../../internal/hidden';
import type { RotatingClient } from '../../rotation/client';
import type { RotationEvents } from '../../rotation/types';

/** The part of the `@grpc/grpc-js` package that certificates use. */
export type GrpcModule = Pick<typeof import('@grpc/grpc-js'), 'experimental'>;

/** Options of all credentials. Durations are milliseconds. */
export interface CredentialsOptions {
  /** The name of the credentials in errors and events. */
  readonly name?: string | undefined;
  /** Initial backoff after a generation that cannot be used. It doubles each time. Default: 1 000. */
  readonly retryBaseMs?: number | undefined;
  /** Maximum backoff. Default: 30 000. */
  readonly retryMaxMs?: number | undefined;
  /** The `@grpc/grpc-js` package to use instead of the installed one. */
  readonly grpc?: typeof import('@grpc/grpc-js') | undefined;
}

/**
 * The rotation of credentials. `rejected` and `error` events also reach the `error` listeners of the store. If neither has a
 * listener, they become process warnings.
 */
export interface CredentialsRotation
  extends Listenable<Pick<RotationEvents, 'swapped' | 'rejected' | 'error'>>,
    AsyncDisposable {
  /** The store's generation that new connections, or calls, use. */
  readonly generation: number;
  /** Stops following the store; the credentials keep what they have. May be called again. */
  close(): Promise<void>;
}

/** Where credentials of gRPC keep what the provider told them. */
const HELD = ['latestIdentityUpdate', 'latestCaUpdate', 'latestContextOptions'];

/** Adds `rotation` to credentials of gRPC, and keeps what they hold out of printed objects. */
export function exposed<V, C extends object, O extends object, S>(
  client: RotatingClient<V, O, S>,
  credentials: C,
  type: string,
): C & { readonly rotation: CredentialsRotation } {
  const close = () => client.stop();
  const shown = () => ({ name: client.name, generation: client.generation });
  const inspected = (_depth: number, options: InspectOptions) =>
    `${type} ${builtin('util').inspect(shown(), options)}`;
  for (const field of HELD) {
    if (field in credentials) hide(credentials, field, (credentials as Record<string, unknown>)[field]);
  }
  Object.defineProperty(credentials, inspectCustom, { value: inspected });
  Object.defineProperty(credentials, 'toJSON', { value: shown });
  const rotation = { close, [Symbol.asyncDispose]: close };
  return client.expose(credentials, rotation) as C & { readonly rotation: CredentialsRotation };
}
