import type { SecretStore, Snapshot } from '../store/types';

declare global {
  /** Where an application says which store its requests carry. */
  namespace HotSecrets {
    /**
     * What `request.secrets` holds, for frameworks whose request type is one for the whole program (Express, Fastify).
     *
     * @example
     * ```ts
     * declare global {
     *   namespace HotSecrets {
     *     interface Register { store: typeof secrets }
     *   }
     * }
     * ```
     */
    interface Register {}
  }
}

/** Names to types of values of the registered store; without one, every name, and values that have to be checked. */
export type RegisteredValues = HotSecrets.Register extends { readonly store: SecretStore<infer V> }
  ? V
  : Readonly<Record<string, unknown>>;

export type RegisteredSnapshot = Snapshot<RegisteredValues>;
export type RegisteredStore = SecretStore<RegisteredValues>;
