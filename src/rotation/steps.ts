import { isSecretsError, SecretsError, type SecretsErrorCode } from '../errors';
import { describeError } from '../internal/describe-error';
import { bounded, deadline, unrefTimer } from '../internal/time';
import { dispose, type Opened } from './disposal';
import type { TrackedSnapshot } from './tracked';
import type { DrainedEvent, EngineOptions, Lifecycle } from './types';

const RETRIED = 'Attempts continue with backoff; until one succeeds, the old resource stays in use.';

/** How long a step that was told to stop may take; then nothing waits for it any more. */
const ABANDON_MS = 1_000;

/**
 * Builds within the time limit. `late` receives a resource that comes too late to be used.
 * @throws `BUILD_FAILED`, any other `SecretsError` of the build.
 */
export async function build<R, V>(
  lifecycle: Lifecycle<R, V>,
  tracked: TrackedSnapshot<V>,
  { name, buildTimeoutMs }: EngineOptions,
  signal: AbortSignal,
  opened: Opened,
  late: (resource: R) => void,
): Promise<R> {
  const bound = deadline(signal, buildTimeoutMs);
  const building = (async () =>
    tracked.run(() => lifecycle.build(tracked.snapshot, bound.signal, opened.onDispose)))();
  let isLate = false;
  const over = (what: string) => {
    isLate = true;
    return new SecretsError('BUILD_FAILED', `building the new ${name} ${what}`);
  };
  try {
    const inTime = bounded(building, buildTimeoutMs, () => over(`took longer than ${buildTimeoutMs} ms`));
    return await untilAbandoned(inTime, signal, () => over('did not stop'));
  } catch (error) {
    if (isLate) building.then(late, () => {});
    throw ownError(error, 'BUILD_FAILED', `building the new ${name} failed`);
  } finally {
    bound.release();
  }
}

/** Verifies within the time limit. Throws `VERIFY_FAILED` and `VERIFY_TIMEOUT`. */
export async function verify<R, V>(
  lifecycle: Lifecycle<R, V>,
  resource: R,
  { name, verifyTimeoutMs }: EngineOptions,
  signal: AbortSignal,
): Promise<void> {
  if (lifecycle.verify === undefined || signal.aborted) return;
  const bound = deadline(signal, verifyTimeoutMs);
  const verifying = (async () => lifecycle.verify?.(resource, bound.signal))();
  try {
    const timedOut = () => {
      const what = `verification of the new ${name} timed out after ${verifyTimeoutMs} ms`;
      return new SecretsError('VERIFY_TIMEOUT', what, { next: RETRIED });
    };
    await untilAbandoned(bounded(verifying, verifyTimeoutMs, timedOut), signal, timedOut);
  } catch (error) {
    throw ownError(error, 'VERIFY_FAILED', `verifying the new ${name} failed`);
  } finally {
    bound.release();
  }
}

/** Settles as `step` does, or rejects soon after `signal` aborts: neither a close nor a newer rotation waits for its limit. */
function untilAbandoned<T>(step: Promise<T>, signal: AbortSignal, error: () => Error): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    let cancel = () => {};
    const aborted = () => {
      cancel = unrefTimer(ABANDON_MS, () => reject(error()));
    };
    const settled = () => {
      cancel();
      signal.removeEventListener('abort', aborted);
    };
    signal.addEventListener('abort', aborted, { once: true });
    if (signal.aborted) aborted();
    step.then(resolve, reject).finally(settled);
  });
}

function ownError(error: unknown, code: SecretsErrorCode, what: string): SecretsError {
  if (isSecretsError(error)) return error;
  return new SecretsError(code, `${what}: ${describeError(error)}`, { next: RETRIED });
}

/** A resource, what its build opened, its generation, and the number of its uses in progress. */
export class Leased<R> {
  readonly resource: R;
  readonly opened: Opened | undefined;
  readonly generation: number;
  #leases = 0;
  #free: (() => void)[] = [];

  constructor(resource: R, opened: Opened | undefined, generation: number) {
    this.resource = resource;
    this.opened = opened;
    this.generation = generation;
  }

  async use<T>(work: (resource: R) => T | Promise<T>): Promise<T> {
    this.#leases += 1;
    try {
      return await work(this.resource);
    } finally {
      this.#leases -= 1;
      if (this.#leases === 0) for (const free of this.#free.splice(0)) free();
    }
  }

  /** Resolves when no use is in progress. */
  free(): Promise<void> {
    if (this.#leases === 0) return Promise.resolve();
    return new Promise((resolve) => this.#free.push(resolve));
  }
}

interface Retiring {
  readonly name: string;
  readonly drainTimeoutMs: number;
  readonly onError: (error: SecretsError) => void;
}

/** Drains an old resource within its deadline, then disposes it. Never rejects. */
export async function retire<R, V>(
  leased: Leased<R>,
  lifecycle: Lifecycle<R, V>,
  { name, drainTimeoutMs, onError }: Retiring,
): Promise<Omit<DrainedEvent, 'name'>> {
  const startedAt = performance.now();
  const bound = new AbortController();
  const expired = new Promise<'expired'>((resolve) => {
    bound.signal.addEventListener('abort', () => resolve('expired'));
  });
  const cancel = unrefTimer(drainTimeoutMs, () => bound.abort());
  const draining = (async () => lifecycle.drain?.(leased.resource, bound.signal))();
  const drained = Promise.all([leased.free(), draining]).then(
    () => 'drained' as const,
    (error: unknown) => {
      const what = `draining the old ${name} failed with ${describeError(error)}`;
      onError(new SecretsError('DISPOSE_FAILED', what));
      return leased.free().then(() => 'drained' as const);
    },
  );
  const outcome = await Promise.race([drained, expired]);
  cancel();
  if (outcome === 'expired') {
    const what = `the old ${name} was still in use after ${drainTimeoutMs} ms and is closed by force`;
    const next = 'Raise drainTimeoutMs if its work may take that long.';
    onError(new SecretsError('DRAIN_TIMEOUT', what, { next }));
  }
  await dispose(leased.resource, leased.opened, lifecycle, name, onError);
  const durationMs = performance.now() - startedAt;
  return { generation: leased.generation, forced: outcome === 'expired', durationMs };
}
