import { rejectUnknownOptions } from '../internal/options';
import type { Snapshot } from '../store/types';
import { rotatingOptions } from './rotating';
import { Rotation, type RotationStore } from './rotation';
import { track } from './tracked';
import type { RotatingOptions, RotationEvents } from './types';

/** Options of every client that follows its secrets. Durations are milliseconds. */
export interface ClientRotationOptions {
  /** What errors and events call the client. */
  readonly name?: string;
  /**
   * How long a request may still use a connection that was opened with replaced secrets, before that is closed under it.
   * Default: 3 600 000 (an hour).
   */
  readonly drainTimeoutMs?: number;
  /** First step of the backoff after a generation that cannot be used. Default: 1 000. */
  readonly retryBaseMs?: number;
  /** Its longest step. Default: 30 000. */
  readonly retryMaxMs?: number;
}

/** The rotation of a client, beside the client's own face. */
export interface ClientRotation {
  /** The store's generation that new connections are opened with. */
  readonly generation: number;
  /** Connections of older generations, open or being opened. */
  readonly staleCount: number;
  on<E extends keyof RotationEvents>(event: E, listener: (payload: RotationEvents[E]) => void): () => void;
}

/** What a client connects with in one generation, and the connections that it opened. */
export interface ClientGeneration {
  /** The store's generation that it was made from. */
  readonly generation: number;
  /** Its connections, open or being opened. */
  readonly openCount: number;
  /** Settles when its last use is over, or `signal` aborts. */
  drained(signal: AbortSignal): Promise<unknown>;
  /** Closes what is left of it, in use or not. May be called again. */
  destroy(): unknown;
}

/** What a client can ask of its rotation. */
export interface ClientControl<G> {
  /** Every generation that may still have connections, the current one last. */
  generations(): readonly G[];
  /** Stops following the store and drains the current generation. */
  stop(): Promise<void>;
}

const OPTIONS = ['name', 'drainTimeoutMs', 'retryBaseMs', 'retryMaxMs'] as const;

/** The engine's options, from those of a client. `own`: more names that the client takes. Throws `OPTION_UNKNOWN`, `OPTION_INVALID`. */
export function clientRotationOptions(
  where: string,
  name: string,
  options: ClientRotationOptions,
  own: readonly string[] = [],
): Required<RotatingOptions> {
  rejectUnknownOptions(where, options, [...own, ...OPTIONS]);
  const given = OPTIONS.filter((option) => options[option] !== undefined);
  return rotatingOptions(where, {
    name,
    drainTimeoutMs: 3_600_000,
    ...Object.fromEntries(given.map((option) => [option, options[option]])),
  });
}

/**
 * Makes a client around the generation of now, synchronously, and switches it to each later one. `build` must leave no
 * connection behind: it only says what to connect with. `kind`: what telemetry calls such clients.
 */
export function followSecrets<G extends ClientGeneration, C extends object, V>(
  store: RotationStore<V>,
  kind: string,
  options: Required<RotatingOptions>,
  build: (snapshot: Snapshot<V>) => G,
  make: (first: G, control: ClientControl<G>) => { readonly client: C; switchTo(next: G): void },
): C & { readonly rotation: ClientRotation } {
  const tracked = track(store.snapshot());
  const first = build(tracked.snapshot);
  const replaced = new Set<G>();
  let serving = first;

  const connections = () => {
    const stale = [...replaced].reduce((count, old) => count + old.openCount, 0);
    return { open: stale + serving.openCount, stale };
  };
  const { client, switchTo } = make(first, {
    generations: () => [...replaced, serving],
    stop: () => rotation.close(),
  });
  const rotation = new Rotation<G, V>(
    store,
    {
      build,
      drain: (old, signal) => old.drained(signal),
      dispose(old) {
        replaced.delete(old);
        return old.destroy();
      },
    },
    options,
    { initial: { resource: first, tracked }, face: { kind, connections } },
  );
  // Before any listener of the user: whoever hears of the rotation finds the client switched.
  rotation.on('swapped', () => {
    replaced.add(serving);
    serving = rotation.current;
    switchTo(serving);
  });

  const face: ClientRotation = {
    get generation() {
      return serving.generation;
    },
    get staleCount() {
      return connections().stale;
    },
    on: (event, listener) => rotation.on(event, listener),
  };
  return Object.defineProperty(client, 'rotation', { value: Object.freeze(face) }) as C & {
    readonly rotation: ClientRotation;
  };
}
