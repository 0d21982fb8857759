import type { ChannelCredentials, experimental, ServerCredentials, VerifyOptions } from '@grpc/grpc-js';
import { SecretsError } from '../../errors';
import { flag, type Option, oneOf, passed } from '../../internal/options';
import { peer } from '../../internal/peer';
import type { Typed, TypesMissing } from '../../internal/typed';
import { RotatingClient, undrainedOptions } from '../../rotation/client';
import type { Recipe } from '../../rotation/recipe';
import type { SecretStore } from '../../store/types';
import { type CertificateOptions, type Material, materialOf } from './material';
import { MaterialProvider } from './provider';
import { type CredentialsOptions, type CredentialsRotation, exposed, type GrpcModule } from './shared';

/** Turns a snapshot into a pair and authorities. Synchronous; the credentials follow the secrets that it reads. */
export type CertificateRecipe<V> = Recipe<V, CertificateOptions>;

export interface ServerCredentialsOptions extends CredentialsOptions {
  /**
   * Whether a client without a certificate that the `ca` of the recipe vouches for is refused (default), or served. Without
   * `ca`, clients are not asked for one.
   */
  readonly requireClientCertificate?: boolean | undefined;
  /**
   * What to do with a certificate without intermediates if the one before had some: `reject` (default) keeps the old one,
   * because clients may need them; `accept` uses it.
   */
  readonly shorterChain?: 'reject' | 'accept' | undefined;
}

export interface ChannelCredentialsOptions extends CredentialsOptions {
  /** How to verify servers, as for `credentials.createSsl`. */
  readonly verifyOptions?: VerifyOptions | undefined;
}

/** `ServerCredentials` that follow the rotation of their certificates. */
export type HotServerCredentials = Typed<ServerCredentials, TypesMissing<'@grpc/grpc-js'>> & {
  readonly rotation: CredentialsRotation;
};

/** `ChannelCredentials` that follow the rotation of their certificates. */
export type HotChannelCredentials = Typed<ChannelCredentials, TypesMissing<'@grpc/grpc-js'>> & {
  readonly rotation: CredentialsRotation;
};

const IN_RECIPE = ['cert', 'key', 'ca', 'pfx', 'passphrase'];

/**
 * `ServerCredentials` for `Server.bindAsync` that follow the secrets that the recipe reads. New connections get a new pair and
 * new authorities at once, always of one generation; open ones stay until the server or the client ends them. A bad pair changes
 * nothing.
 *
 * Options: `requireClientCertificate` (default true), `shorterChain`, `grpc`, `name` (default `gRPC server`), `retryBaseMs`,
 * `retryMaxMs`.
 *
 * Throws `RECIPE_FAILED`, `RECIPE_ASYNC`, `RECIPE_READS_NOTHING`, `RECIPE_READS_STORE`, `CERTIFICATE_MISSING`, `CERTIFICATE_INVALID`,
 * `PRIVATE_KEY_MISSING`, `CERTIFICATE_CHAIN_BROKEN`, `CERTIFICATE_PURPOSE_WRONG`, `CERTIFICATE_KEY_UNSUPPORTED`,
 * `TLS_OPTIONS_INVALID` (in `rejected` events after the first run, as is `CERTIFICATE_CHAIN_INCOMPLETE`), `PEER_MISSING`,
 * `PEER_UNSUPPORTED`, `OPTION_UNKNOWN`, `OPTION_INVALID`.
 *
 * @example
 * ```ts
 * const credentials = createServerCredentials(secrets, (s) => ({
 *   ...s.reveal('web'), // a secret.tls
 *   ca: s.revealWithPrevious('ca').flatMap(({ ca }) => ca), // also the old authority, until its grace window ends
 * }));
 * server.bindAsync('0.0.0.0:50051', credentials, (error, port) => {});
 * ```
 */
export function createServerCredentials<V>(
  store: SecretStore<V>,
  recipe: CertificateRecipe<V>,
  options: ServerCredentialsOptions = {},
): HotServerCredentials {
  const where = 'createServerCredentials';
  const own = {
    grpc: passed<GrpcModule>(),
    requireClientCertificate: flag(true),
    shorterChain: oneOf('reject', 'accept'),
  };
  const settings = undrainedOptions(where, options, 'gRPC server', own, IN_RECIPE);
  const { createCertificateProviderServerCredentials: create } = experimentalOf(
    settings.grpc,
    'createCertificateProviderServerCredentials',
  );
  const { client, provider } = follow(where, 'server', store, recipe, settings);
  const asks = client.current.caCertificate !== undefined;
  // The types of gRPC name its two providers the other way round; with one for both, this does not matter.
  const credentials = create(provider, asks ? provider : null, asks && settings.requireClientCertificate);
  return exposed(client, credentials, 'ServerCredentials');
}

/**
 * `ChannelCredentials` for a client of gRPC that follow the secrets that the recipe reads: client certificate, key, authorities.
 * New connections use new ones at once, always of one generation; open ones stay. A bad pair changes nothing.
 *
 * Options: `verifyOptions`, `grpc`, `name` (default `gRPC channel`), `retryBaseMs`, `retryMaxMs`.
 *
 * Throws `RECIPE_FAILED`, `RECIPE_ASYNC`, `RECIPE_READS_NOTHING`, `RECIPE_READS_STORE`, `CERTIFICATE_MISSING`, `CERTIFICATE_INVALID`,
 * `PRIVATE_KEY_MISSING`, `CERTIFICATE_CHAIN_BROKEN`, `CERTIFICATE_PURPOSE_WRONG`, `CERTIFICATE_KEY_UNSUPPORTED`,
 * `TLS_OPTIONS_INVALID` (in `rejected` events after the first run), `PEER_MISSING`, `PEER_UNSUPPORTED`, `OPTION_UNKNOWN`,
 * `OPTION_INVALID`.
 *
 * @example
 * ```ts
 * const credentials = createChannelCredentials(secrets, (s) => ({
 *   ...s.reveal('client'),
 *   ca: s.revealWithPrevious('ca').flatMap(({ ca }) => ca),
 * }));
 * const client = new Greeter('orders.internal:50051', credentials);
 * ```
 */
export function createChannelCredentials<V>(
  store: SecretStore<V>,
  recipe: CertificateRecipe<V>,
  options: ChannelCredentialsOptions = {},
): HotChannelCredentials {
  const where = 'createChannelCredentials';
  const own = { grpc: passed<GrpcModule>(), verifyOptions };
  const settings = undrainedOptions(where, options, 'gRPC channel', own, IN_RECIPE);
  const { createCertificateProviderChannelCredentials: create } = experimentalOf(
    settings.grpc,
    'createCertificateProviderChannelCredentials',
  );
  const { client, provider } = follow(where, 'client', store, recipe, settings);
  return exposed(client, create(provider, provider, settings.verifyOptions), 'ChannelCredentials');
}

const verifyOptions: Option<VerifyOptions | undefined> = (given, reject) =>
  given === undefined || (typeof given === 'object' && given !== null) ? given : reject('an object');

type Experimental = typeof experimental;

/** @throws `PEER_MISSING`, `PEER_UNSUPPORTED`: in gRPC, an experimental function may go with any version. */
function experimentalOf<F extends keyof Experimental & string>(
  grpc: GrpcModule | undefined,
  needed: F,
): Pick<Experimental, F> {
  const module = peer<GrpcModule>('@grpc/grpc-js', ['experimental'], grpc).experimental;
  if (typeof module[needed] === 'function') return module as Experimental;
  const what = `the module @grpc/grpc-js ${grpc === undefined ? 'that is installed' : 'that was passed'} lacks experimental.${needed}`;
  throw new SecretsError('PEER_UNSUPPORTED', what, { next: 'Install @grpc/grpc-js 1.14, which has it.' });
}

function follow<V>(
  where: string,
  side: 'server' | 'client',
  store: SecretStore<V>,
  recipe: CertificateRecipe<V>,
  options: { readonly name: string; readonly shorterChain?: 'reject' | 'accept' },
) {
  const { name, shorterChain = 'reject' } = options;
  let current: Material | undefined;
  const client = new RotatingClient<V, CertificateOptions, Material>(where, {
    kind: side === 'server' ? 'grpc-server' : 'grpc-channel',
    store,
    recipe,
    returns: side === 'server' ? 'a TLS server: cert, key and ca' : 'a TLS client: cert, key and ca',
    options,
    connect: (returned) => materialOf(name, side, returned, current, shorterChain),
  });
  current = client.current;
  const provider = new MaterialProvider(() => client.current);
  client.follow({
    swap(next, previous) {
      current = next;
      provider.swap(previous);
    },
    // The connections belong to gRPC.
    drained() {},
    close() {},
  });
  return { client, provider };
}
