import type { Lookup } from '../secret/lookup';
import type { Reading, Source } from './source';

/**
 * Environment variables: the fallback of laptops and of deployments that have no mount yet. A process's environment
 * does not change when a secret rotates, so this source has no watch; `report()` shows who is served by it.
 * A variable that is set to the empty string counts as not set (Compose writes such for `${UNSET:-}`).
 */
export function environment(variables: Readonly<NodeJS.ProcessEnv> = process.env): Source {
  function readingOf(lookup: Lookup): Reading {
    const variable = lookup.env.find((name) => (variables[name] ?? '') !== '');
    if (variable === undefined) return { status: 'missing', looked: lookup.env.join(', ') || 'no variable' };
    return { status: 'found', bytes: new TextEncoder().encode(variables[variable]), origin: variable };
  }
  return {
    name: 'environment',
    location: '',
    async read({ lookups }) {
      const readings = new Map(lookups.map((lookup) => [lookup.name, readingOf(lookup)]));
      return { unchanged: false, readings, revision: undefined };
    },
    readNow: readingOf,
    inventory: async () => Object.keys(variables),
  };
}
