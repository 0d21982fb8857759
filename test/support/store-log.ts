import type { ChangeEvent, SecretsError } from '../../src/index';
import type { SecretStore } from '../../src/store/types';

/** The events of a store since `record`. */
export interface StoreLog {
  readonly changes: ChangeEvent[];
  readonly errors: SecretsError[];
  readonly recovered: SecretsError[];
  /** Names of the changed secrets, in order. */
  names(): string[];
  codes(): string[];
}

/** Listens to all events of a store. */
export function record<V>(store: SecretStore<V>): StoreLog {
  const changes: ChangeEvent[] = [];
  const errors: SecretsError[] = [];
  const recovered: SecretsError[] = [];
  store.on('change', (event) => changes.push(event));
  store.on('error', (error) => errors.push(error));
  store.on('recovered', (error) => recovered.push(error));
  return {
    changes,
    errors,
    recovered,
    names: () => changes.flatMap((event) => event.changes.map(({ name }) => name)),
    codes: () => errors.map(({ code }) => code),
  };
}
