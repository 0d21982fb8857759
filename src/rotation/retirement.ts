import { isSecretsError, SecretsError } from '../errors';
import { describeError } from '../internal/describe-error';
import { bounded, unrefTimer } from '../internal/time';
import type { DrainedEvent, Lifecycle } from './types';

// A close that hangs must not hang ours.
const DISPOSE_TIMEOUT_MS = 30_000;

/** A resource with the generation that it was built from and the uses that are under way. */
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

  /** Resolves when no use is under way. */
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
): Promise<DrainedEvent> {
  const startedAt = performance.now();
  const deadline = new AbortController();
  const expired = new Promise<'expired'>((resolve) => {
    deadline.signal.addEventListener('abort', () => resolve('expired'));
  });
  const cancel = unrefTimer(drainTimeoutMs, () => deadline.abort());
  const drained = Promise.all([leased.free(), drain(leased.resource, lifecycle, deadline.signal)]).then(
    () => 'drained' as const,
    (error: unknown) => {
      onError(failed('DISPOSE_FAILED', `draining the old ${name} failed with ${describeError(error)}`));
      return leased.free().then(() => 'drained' as const);
    },
  );
  const outcome = await Promise.race([drained, expired]);
  cancel();
  if (outcome === 'expired') {
    const what = `the old ${name} was still in use after ${drainTimeoutMs} ms and is closed by force`;
    onError(failed('DRAIN_TIMEOUT', what, 'Raise drainTimeoutMs if its uses may take that long.'));
  }
  await dispose(leased.resource, lifecycle, name, onError);
  const durationMs = performance.now() - startedAt;
  return { name, generation: leased.generation, forced: outcome === 'expired', durationMs };
}

async function drain<R, V>(resource: R, lifecycle: Lifecycle<R, V>, signal: AbortSignal): Promise<void> {
  await lifecycle.drain?.(resource, signal);
}

/** Disposes within a bound, and reports what that throws. Never rejects. */
export async function dispose<R, V>(
  resource: R,
  lifecycle: Lifecycle<R, V>,
  name: string,
  onError: (error: SecretsError) => void,
): Promise<void> {
  const disposing = (async () => lifecycle.dispose?.(resource))();
  const late = () =>
    failed('DISPOSE_FAILED', `closing the old ${name} took longer than ${DISPOSE_TIMEOUT_MS} ms`);
  try {
    await bounded(disposing, DISPOSE_TIMEOUT_MS, late);
  } catch (error) {
    const what = `closing the old ${name} failed with ${describeError(error)}`;
    onError(isSecretsError(error) ? error : failed('DISPOSE_FAILED', what));
  }
}

function failed(code: 'DRAIN_TIMEOUT' | 'DISPOSE_FAILED', what: string, next?: string): SecretsError {
  return new SecretsError(code, what, next === undefined ? {} : { next });
}
