import { isUint8Array } from 'node:util/types';
import { SecretsError } from '../errors';
import { kindOf } from '../internal/options';
import type { Reading, Source, SourceListener } from './source';

/** A source that tests write to. */
export interface MemorySource extends Source {
  /** Sets values in one step, removes those that are `undefined`, and requests a refresh. */
  set(values: Readonly<Record<string, string | Uint8Array | undefined>>): void;
}

/**
 * Serves secrets from memory, for tests. `set` rotates them.
 *
 * Throws `OPTION_INVALID` for a value that is neither a string nor bytes.
 *
 * @example
 * ```ts
 * const source = memory({ 'api-key': 'first' });
 * const secrets = await SecretStore.open({ secrets: { apiKey: 'api-key' }, sources: [source] });
 * source.set({ 'api-key': 'second' });
 * ```
 */
export function memory(
  initial: Readonly<Record<string, string | Uint8Array | undefined>> = {},
): MemorySource {
  const values = new Map<string, Buffer>();
  let listener: SourceListener | undefined;
  let revision = 0;

  function assign(changes: Readonly<Record<string, string | Uint8Array | undefined>>): void {
    assertValues(changes);
    for (const [name, value] of Object.entries(changes)) {
      if (value === undefined) values.delete(name);
      else values.set(name, Buffer.from(value as string));
    }
    revision += 1;
  }

  function readingOf(name: string): Reading {
    const bytes = values.get(name);
    return bytes === undefined
      ? { status: 'missing', looked: `"${name}"` }
      : { status: 'found', bytes: Uint8Array.from(bytes), origin: `memory "${name}"` };
  }

  assign(initial);
  return {
    name: 'memory',
    location: '',
    async read({ lookups, list, since }) {
      if (since === String(revision)) return { unchanged: true, readings: new Map(), revision: since };
      const names = [...lookups.map((lookup) => lookup.name), ...(list ? values.keys() : [])];
      const readings = new Map(names.map((name) => [name, readingOf(name)]));
      return { unchanged: false, readings, revision: String(revision) };
    },
    inventory: async () => [...values.keys()],
    watch(next) {
      listener = next;
      return () => {
        listener = undefined;
      };
    },
    set(changes) {
      assign(changes);
      listener?.hint('watch');
    },
  };
}

/** Before anything is set: a step is set as a whole or not at all. */
function assertValues(values: unknown): void {
  if (typeof values !== 'object' || values === null || Array.isArray(values)) {
    throw new SecretsError(
      'OPTION_INVALID',
      `memory needs an object of names and values, not ${kindOf(values)}`,
      {
        next: "Pass { 'api-key': 'value' }.",
      },
    );
  }
  for (const [name, value] of Object.entries(values)) {
    if (value === undefined || typeof value === 'string' || isUint8Array(value)) continue;
    const what = `memory: the value of "${name}" must be a string or a Uint8Array, not ${kindOf(value)}`;
    throw new SecretsError('OPTION_INVALID', what, {
      secret: name,
      next: 'A source holds text or bytes: JSON.stringify an object, and String() a number.',
    });
  }
}
