import type { CallCredentials, Metadata } from '@grpc/grpc-js';
import { SecretsError } from '../../errors';
import { passed } from '../../internal/options';
import { peer } from '../../internal/peer';
import type { Typed, TypesMissing } from '../../internal/typed';
import { RotatingClient, undrainedOptions } from '../../rotation/client';
import type { SecretStore } from '../../store/types';
import { asHeaders, type CredentialHeaders, type CredentialsRecipe, checkedHeaders } from '../bearer/headers';
import { type CredentialsOptions, type CredentialsRotation, exposed } from './shared';

/** `CallCredentials` that follow the rotation of their secrets. */
export type HotCallCredentials = Typed<CallCredentials, TypesMissing<'@grpc/grpc-js'>> & {
  readonly rotation: CredentialsRotation;
};

type Module = Pick<typeof import('@grpc/grpc-js'), 'Metadata' | 'credentials'>;

/** https://grpc.github.io/grpc/core/md_doc__p_r_o_t_o_c_o_l-_h_t_t_p2.html: ASCII-Value */
const ASCII_VALUE = /^[\x20-\x7e]+$/;

/**
 * `CallCredentials` whose metadata follow the secrets that the recipe reads: a bearer token, or metadata by name. Each call gets
 * the current ones, also on an open connection. gRPC sends them over TLS only.
 *
 * Options: `grpc`, `name` (default `gRPC call credentials`), `retryBaseMs`, `retryMaxMs`.
 *
 * Throws `RECIPE_FAILED`, `RECIPE_ASYNC`, `RECIPE_READS_NOTHING`, `RECIPE_READS_STORE` (in `rejected` events after the first run),
 * `PEER_MISSING`, `PEER_UNSUPPORTED`, `OPTION_UNKNOWN`, `OPTION_INVALID`.
 *
 * @example
 * ```ts
 * const token = createCallCredentials(secrets, (s) => s.reveal('ordersToken'));
 * const client = new Greeter('orders.internal:50051', channelCredentials.compose(token));
 * ```
 */
export function createCallCredentials<V>(
  store: SecretStore<V>,
  recipe: CredentialsRecipe<V>,
  options: CredentialsOptions = {},
): HotCallCredentials {
  const where = 'createCallCredentials';
  const own = { grpc: passed<Module>() };
  const settings = undrainedOptions(where, options, 'gRPC call credentials', own);
  const { name } = settings;
  const grpc = peer<Module>('@grpc/grpc-js', ['credentials', 'Metadata'], settings.grpc);
  const client = new RotatingClient(where, {
    kind: 'grpc-call',
    store,
    recipe: asHeaders(name, recipe),
    returns: 'a call: metadata by name',
    options: settings,
    connect: (headers: CredentialHeaders) => metadataOf(grpc, name, headers),
  });
  client.follow({ swap() {}, drained() {}, close() {} });
  const made = grpc.credentials.createFromMetadataGenerator((_call, done) =>
    done(null, client.current.clone()),
  );
  return exposed(client, made, 'CallCredentials');
}

/** Made once, so that what gRPC refuses fails here, and not in each call. */
function metadataOf(grpc: Module, name: string, headers: CredentialHeaders): Metadata {
  const metadata = new grpc.Metadata();
  for (const [key, value] of Object.entries(checkedHeaders(name, headers, ASCII_VALUE))) {
    try {
      metadata.set(key, value);
    } catch {
      const what = `the recipe of the ${name} returned metadata \`${key}\`, which gRPC does not take as text`;
      throw new SecretsError('RECIPE_FAILED', what, {
        next: 'A key has letters, digits, ".", "_" and "-" only, and does not end with "-bin".',
      });
    }
  }
  return metadata;
}
