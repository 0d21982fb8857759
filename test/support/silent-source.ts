import { type MemorySource, memory, type Source } from 'hot-secrets';

/** A source in memory that never hints, so that only a refresh finds its new values. */
export function silentMemory(values: Readonly<Record<string, string>>): Source & Pick<MemorySource, 'set'> {
  const { watch: _watch, ...silent } = memory(values);
  return silent;
}
