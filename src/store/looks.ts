import { unrefTimer } from '../internal/time';
import { coalesce, type LookRequest } from './coalesce';
import type { Outcome } from './source-state';

/** How long what has been read waits for the other sources of its look, so that they make one generation. */
export const PATIENCE_MS = 250;

interface Work {
  /** Reads one source. Never called twice at the same time for the same one. */
  read(index: number, force: boolean): Promise<Outcome>;
  /** Makes the next generation of these outcomes. Never called twice at the same time. */
  assemble(outcomes: ReadonlyMap<number, Outcome>, trigger: string): Promise<void>;
}

/** Resolves once a read of every source of the request that began after the call is assembled. */
export type Look = (request: LookRequest, patienceMs?: number) => Promise<void>;

/**
 * Sources that are looked at together make one generation. One that takes long (a vault that hangs) makes its own when it
 * answers, and keeps no other from being read meanwhile.
 */
export function looks(count: number, { read, assemble }: Work): Look {
  /** Read, and not assembled yet. */
  let ready = new Map<number, Outcome>();
  let assembling: Promise<void> = Promise.resolve();

  const lanes = Array.from({ length: count }, (_, index) =>
    coalesce(async ({ force }) => {
      const outcome = await read(index, force);
      // Unchanged since the read before, which may still have to be assembled.
      if (outcome.kind !== 'unchanged' || !ready.has(index)) ready.set(index, outcome);
    }),
  );

  function take(trigger: string): Promise<void> {
    const next = assembling.then(async () => {
      const outcomes = ready;
      ready = new Map();
      if (outcomes.size > 0) await assemble(outcomes, trigger);
    });
    assembling = next.catch(() => {});
    return next;
  }

  return async (request, patienceMs = PATIENCE_MS) => {
    const reads = [...request.sources].map((index) => lanes[index]?.(request));
    let cancel = () => {};
    const patience = new Promise<void>((resolve) => {
      cancel = unrefTimer(patienceMs, resolve);
    });
    await Promise.race([Promise.all(reads), patience]).finally(cancel);
    await take(request.trigger);
    await Promise.all(reads.map((one) => one?.then(() => take(request.trigger))));
  };
}
