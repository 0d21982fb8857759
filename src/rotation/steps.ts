import { isSecretsError, SecretsError, type SecretsErrorCode } from '../errors';
import { describeError } from '../internal/describe-error';
import { bounded, deadline, unrefTimer } from '../internal/time';
import { misreadError } from './recipe';
import type { TrackedSnapshot } from './tracked';
import type { DrainedEvent, EngineOptions, Lifecycle } from './types';

const RETRIED = 'Attempts continue with backoff; until one succeeds, the old resource stays in use.';

// `dispose` is the user's code and may never settle; `close()` must.
const DISPOSE_TIMEOUT_MS = 30_000;

/**
 * Builds within the time limit. `late` receives a resource that must not be used: it came too late, or read no secret.
 * @throws `BUILD_FAILED`, `RECIPE_READS_NOTHING`, `RECIPE_READS_STORE`.
 */
export async function build<R, V>(
  lifecycle: Lifecycle<R, V>,
  tracked: TrackedSnapshot<V>,
  { name, buildTimeoutMs, builder }: EngineOptions & { readonly builder: string },
  signal: AbortSignal,
  late: (resource: R) => void,
): Promise<R> {
  const bound = deadline(signal, buildTimeoutMs);
  const building = (async () => tracked.run(() => lifecycle.build(tracked.snapshot, bound.signal)))();
  let expired = false;
  try {
    const resource = await bounded(building, buildTimeoutMs, () => {
      expired = true;
      return new SecretsError(
        'BUILD_FAILED',
        `building the new ${name} took longer than ${buildTimeoutMs} ms`,
      );
    });
    const misread = misreadError(tracked, builder, name);
    if (misread === undefined) return resource;
    late(resource);
    throw misread;
  } catch (error) {
    if (expired) building.then(late, () => {});
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
    await bounded(verifying, verifyTimeoutMs, () => {
      const what = `verification of the new ${name} timed out after ${verifyTimeoutMs} ms`;
      return new SecretsError('VERIFY_TIMEOUT', what, { next: RETRIED });
    });
  } catch (error) {
    throw ownError(error, 'VERIFY_FAILED', `verifying the new ${name} failed`);
  } finally {
    bound.release();
  }
}

function ownError(error: unknown, code: SecretsErrorCode, what: string): SecretsError {
  if (isSecretsError(error)) return error;
  return new SecretsError(code, `${what}: ${describeError(error)}`, { next: RETRIED });
}

/** A resource, its generation, and the number of its uses in progress. */
export class Leased<R> {
  readonly resource: R;
  readonly generation: number;
  #leases = 0;
  #free: (() => void)[] = [];

  constructor(resource: R, generation: number) {
    this.resource = resource;
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
  await dispose(leased.resource, lifecycle, name, onError);
  const durationMs = performance.now() - startedAt;
  return { generation: leased.generation, forced: outcome === 'expired', durationMs };
}

/** Disposes within a time limit and reports errors to `onError`. Never rejects. */
export async function dispose<R, V>(
  resource: R,
  lifecycle: Lifecycle<R, V>,
  name: string,
  onError: (error: SecretsError) => void,
): Promise<void> {
  const disposing = (async () => lifecycle.dispose?.(resource))();
  const late = () => {
    const what = `closing the old ${name} took longer than ${DISPOSE_TIMEOUT_MS} ms`;
    return new SecretsError('DISPOSE_FAILED', what);
  };
  try {
    await bounded(disposing, DISPOSE_TIMEOUT_MS, late);
  } catch (error) {
    const what = `closing the old ${name} failed with ${describeError(error)}`;
    onError(isSecretsError(error) ? error : new SecretsError('DISPOSE_FAILED', what));
  }
}
