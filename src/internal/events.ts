import EventEmitter from 'eventemitter3';

/** A typed emitter whose listeners are alone with their failures. */
export class Events<Map extends object> {
  readonly #emitter = new EventEmitter();
  readonly #onFailure: (event: keyof Map & string, error: unknown) => void;

  /** `onFailure` hears of a listener that threw, or whose promise rejected. */
  constructor(onFailure: (event: keyof Map & string, error: unknown) => void) {
    this.#onFailure = onFailure;
  }

  on<E extends keyof Map & string>(event: E, listener: (payload: Map[E]) => void): () => void {
    const isolated = (payload: Map[E]) =>
      isolate(
        () => listener(payload),
        (error) => this.#onFailure(event, error),
      );
    this.#emitter.on(event, isolated);
    return () => this.#emitter.off(event, isolated);
  }

  emit<E extends keyof Map & string>(event: E, payload: Map[E]): void {
    this.#emitter.emit(event, payload);
  }

  has(event: keyof Map & string): boolean {
    return this.#emitter.listenerCount(event) > 0;
  }

  clear(): void {
    this.#emitter.removeAllListeners();
  }
}

/** Runs a function of somebody else: neither a throw nor a rejection gets out. */
export function isolate(run: () => unknown, onFailure: (error: unknown) => void): void {
  try {
    const result = run();
    if (result instanceof Promise) result.catch(onFailure);
  } catch (error) {
    onFailure(error);
  }
}
