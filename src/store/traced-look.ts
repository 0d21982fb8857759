import { publish, type RefreshStarted } from '../observe/channels';
import type { LookRequest } from './coalesce';
import type { EngineState } from './engine';
import type { Look } from './looks';

let count = 0;

/** Tells of each look, from the request to its end. `generation`: that of the store, now. */
export function tracedLook(look: Look, state: EngineState, generation: () => number): Look {
  return async (request, patienceMs) => {
    count += 1;
    const refresh = count;
    const started = () => startOf(request, state, refresh);
    const before = generation();
    const startedAt = performance.now();
    publish('hot-secrets:refresh:start', started);
    try {
      await look(request, patienceMs);
    } finally {
      publish('hot-secrets:refresh:end', () => {
        const failures = [...request.sources].flatMap((index) => {
          const { source, failure } = state.sources[index] as EngineState['sources'][number];
          return failure === undefined ? [] : [{ source: source.name, code: failure.code }];
        });
        const changed = generation() === before ? 'unchanged' : 'changed';
        return {
          ...started(),
          durationMs: performance.now() - startedAt,
          generation: generation(),
          outcome: failures.length > 0 ? 'failed' : changed,
          failures,
        };
      });
    }
  };
}

function startOf({ trigger, sources }: LookRequest, state: EngineState, refresh: number): RefreshStarted {
  const names = [...sources].map((index) => state.sources[index]?.source.name ?? '');
  return { ...state.owner, refresh, trigger, sources: names };
}
