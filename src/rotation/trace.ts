import { isSecretsError, type SecretsError, type SecretsErrorCode } from '../errors';
import { failureOf, type OfResource, publish, type RotationStarted } from '../observe/channels';
import { type Observed, observedOf, type ResourceState } from '../observe/observed';
import type { DrainedEvent } from './types';

/** How an adapter describes its client to telemetry. */
export interface ResourceView {
  /** `resource`, `pg`, `tls-server`, `tls-name`, `https-agent`, `undici`. */
  readonly kind: string;
  readonly connections?: (() => ResourceState['connections']) | undefined;
  /** True while the server refuses the credential that is in use. */
  readonly refused?: () => boolean;
}

let resources = 0;
let rotations = 0;

/** The telemetry of one resource: its channel messages, and its state until it closes. */
export class Trace {
  readonly #identity: OfResource;
  readonly #observed: Observed;
  readonly #state: () => ResourceState;
  #draining = 0;
  #rotation: RotationTrace | undefined;

  constructor(store: object, name: string, view: ResourceView, generation: () => number | undefined) {
    resources += 1;
    const { kind, connections, refused } = view;
    this.#observed = observedOf(store);
    const { store: storeName, storeId } = this.#observed;
    this.#identity = { store: storeName, storeId, resource: name, kind, resourceId: resources };
    this.#state = () => ({
      kind,
      name,
      generation: generation(),
      draining: this.#draining,
      connections: connections?.(),
      rotating: this.#rotation?.progress,
      refused: refused?.() ?? false,
    });
    this.#observed.resources.add(this.#state);
  }

  get identity(): OfResource {
    return this.#identity;
  }

  begin(): RotationTrace {
    const rotation = new RotationTrace(this.#identity, () => {
      if (this.#rotation === rotation) this.#rotation = undefined;
    });
    this.#rotation = rotation;
    return rotation;
  }

  draining(): void {
    this.#draining += 1;
  }

  drained({ generation, forced, durationMs }: Omit<DrainedEvent, 'name'>): void {
    this.#draining -= 1;
    const old = { ...this.#identity, generation };
    publish('hot-secrets:rotation:drain', () => ({ ...old, forced, durationMs }));
  }

  /** `generation`: the generation of the resource; `undefined` if it never served. */
  disposed(generation: number | undefined): void {
    publish('hot-secrets:rotation:dispose', () => ({ ...this.#identity, generation }));
  }

  error(error: SecretsError): void {
    publish('hot-secrets:rotation:error', () => ({ ...this.#identity, ...failureOf(error) }));
  }

  close(): void {
    this.#observed.resources.delete(this.#state);
  }
}

/** One rotation, from its first attempt until the new resource serves or a newer rotation supersedes it. */
export class RotationTrace {
  readonly #started: RotationStarted;
  readonly #startedAt = performance.now();
  readonly #ended: () => void;
  #attempts = 0;
  #code: SecretsErrorCode | undefined;
  #over = false;

  constructor(identity: OfResource, ended: () => void) {
    rotations += 1;
    this.#started = { ...identity, rotation: rotations };
    this.#ended = ended;
    publish('hot-secrets:rotation:start', () => this.#started);
  }

  get attempts(): number {
    return this.#attempts;
  }

  get elapsedMs(): number {
    return performance.now() - this.#startedAt;
  }

  get progress(): ResourceState['rotating'] {
    return { attempts: this.#attempts, code: this.#code };
  }

  attempt(): void {
    this.#attempts += 1;
  }

  /** Runs one step of an attempt and publishes its outcome. */
  async step<T>(step: 'build' | 'verify', generation: number, run: () => Promise<T>): Promise<T> {
    const startedAt = performance.now();
    const attempt = this.#attempts;
    const tell = (code: SecretsErrorCode | undefined) =>
      publish(`hot-secrets:rotation:${step}`, () => ({
        ...this.#started,
        generation,
        attempt,
        durationMs: performance.now() - startedAt,
        code,
      }));
    try {
      const result = await run();
      tell(undefined);
      return result;
    } catch (error) {
      tell(isSecretsError(error) ? error.code : 'BUILD_FAILED');
      throw error;
    }
  }

  rejected(error: SecretsError, generation: number, retryInMs: number): void {
    this.#code = error.code;
    publish('hot-secrets:rotation:rejected', () => ({
      ...this.#started,
      ...failureOf(error),
      generation,
      attempt: this.#attempts,
      retryInMs,
    }));
  }

  swapped(generation: number, previousGeneration: number | undefined): void {
    publish('hot-secrets:rotation:swap', () => ({
      ...this.#started,
      generation,
      previousGeneration,
      attempts: this.#attempts,
      durationMs: this.elapsedMs,
    }));
    this.end('swapped');
  }

  end(outcome: 'swapped' | 'superseded'): void {
    if (this.#over) return;
    this.#over = true;
    this.#ended();
    publish('hot-secrets:rotation:end', () => ({ ...this.#started, outcome, durationMs: this.elapsedMs }));
  }
}
