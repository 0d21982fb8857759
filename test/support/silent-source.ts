import { type MemorySource, memory, type Source } from 'hot-secrets';

/** A source that a test writes to and that never hints: only a refresh finds its values. */
export function silentMemory(values: Readonly<Record<string, string>>): Source & Pick<MemorySource, 'set'> {
  const { watch: _watch, ...silent } = memory(values);
  return silent;
}
