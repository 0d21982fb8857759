import { describeError } from '../internal/describe-error';
import { bounded } from '../internal/time';
import type { SourceReader } from './source-reader';

/** How long `close()` waits for a source. */
const CLOSE_MS = 2000;

/** Stops the watches, and closes the sources. What fails or takes too long becomes a process warning. */
export async function closeSources(
  stops: readonly (() => void | Promise<void>)[],
  readers: readonly SourceReader[],
): Promise<void> {
  const warn = (error: unknown) =>
    process.emitWarning(`hot-secrets: closing a source failed with ${describeError(error)}`);
  const tooLate = () => Object.assign(new Error('too late'), { code: 'ETIMEDOUT' });
  const closes = readers.map(
    ({ source }) =>
      async () =>
        source.close?.(),
  );
  await Promise.all(
    [...stops, ...closes].map((stop) => bounded((async () => stop())(), CLOSE_MS, tooLate).catch(warn)),
  );
}
