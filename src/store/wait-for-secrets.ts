import { realDelay, realNow } from '../internal/real-time';
import type { SourceReader } from './source-reader';

/** Pause between two reads of a source that does not have every required secret yet. */
const STEP_MS = 50;

interface Options {
  readonly readers: readonly SourceReader[];
  /** When the store began to open, by the monotonic clock. */
  readonly startedAt: number;
  readonly signal: AbortSignal;
  isComplete(): boolean;
  refresh(readers: readonly SourceReader[]): Promise<void>;
}

/** Waits for required secrets as long as a source asks for, and reads such sources until they are there. */
export async function waitForSecrets({ readers, startedAt, signal, ...store }: Options): Promise<void> {
  const until = ({ source }: SourceReader) => startedAt + (source.waitForSecretsMs ?? 0);
  while (!store.isComplete() && !signal.aborted) {
    const waiting = readers.filter((reader) => until(reader) > realNow());
    if (waiting.length === 0) return;
    await realDelay(STEP_MS, signal);
    await store.refresh(waiting);
  }
}
