import type { Definition } from '../../definitions/definition';
import { isSecretsError, SecretsError } from '../../errors';
import { describeError } from '../../internal/describe-error';

/** What a definition makes of stored bytes: a value, or the error that says why there is none. */
export interface Decoded<T> {
  readonly value?: T;
  readonly error?: SecretsError;
  /** Problems of stored bytes that are used nevertheless. */
  readonly told: readonly SecretsError[];
}

/** Decodes copies of the stored bytes, as a store does. */
export async function decoded<T>(
  definition: Definition<T>,
  stored: readonly Uint8Array[],
): Promise<Decoded<T>> {
  const told: SecretsError[] = [];
  const copies = stored.map((bytes) => Uint8Array.from(bytes));
  try {
    return { value: await definition.decode(copies, (problem) => told.push(problem)), told };
  } catch (error) {
    if (isSecretsError(error)) return { error, told };
    const what = `decoding "${definition.lookups[0]?.name}" failed with ${describeError(error)}`;
    return { error: new SecretsError('VALUE_REFUSED', what), told };
  }
}
