import { NO_ATTRIBUTES } from '../secret/attributes';
import { fingerprint } from '../secret/fingerprint';
import { lookup } from '../secret/lookup';
import { seal } from '../secret/secret';
import type { Reading } from '../sources/source';
import { discovered } from './declared';
import type { EngineState } from './engine';
import type { Serving } from './snapshot';
import type { SourceState } from './source-state';

/**
 * Finds a name that nobody declared in sources that answer at once. From then on it is read like any other: it moves up
 * when its file appears. Throws when the first source that has it cannot hand it out.
 */
export function adopt(state: EngineState, name: string): Serving | undefined {
  const found = readNow(state, name);
  if (found === undefined || found.reading.status === 'missing') return undefined;
  if (found.reading.status === 'failed') throw found.reading.error;
  const definition = discovered(name);
  const { bytes, origin } = found.reading;
  const value = definition.decode([bytes]);
  const digest = fingerprint(bytes);
  const source = (state.sources[found.index] as SourceState).source.name;
  state.definitions.set(name, definition);
  const label = {
    name,
    version: digest.slice(0, 16),
    source,
    origin,
    loadedAt: new Date(),
    attributes: NO_ATTRIBUTES,
  };
  return { secret: seal(label, value, state.owner), digest, sourceIndex: found.index, previous: [] };
}

/** Reads a name that nobody declared from sources that answer at once: the environment of a laptop, mostly. */
function readNow(state: EngineState, name: string): { reading: Reading; index: number } | undefined {
  const wanted = lookup(name);
  for (const [index, { source, failure }] of state.sources.entries()) {
    // What failed is not passed: it might have it.
    if (failure !== undefined) return undefined;
    const reading = source.readNow?.(wanted);
    if (reading !== undefined && reading.status !== 'missing') return { reading, index };
  }
  return undefined;
}
