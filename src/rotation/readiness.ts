import type { SecretsError } from '../errors';

const LONGEST_TIMER_MS = 2_147_483_647;

/** The promise of the first resource, with its bound. */
export class Readiness<R> {
  readonly #promise: Promise<R>;
  #settle: { resolve(resource: R): void; reject(error: SecretsError): void } | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor() {
    this.#promise = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    // Who does not wait for it hears of failures through events.
    this.#promise.catch(() => {});
  }

  /** Starts the bound. `late` says why it was not kept. */
  within(timeoutMs: number, late: () => SecretsError): void {
    const expired = () => {
      if (timeoutMs <= LONGEST_TIMER_MS) this.reject(late());
    };
    this.#timer = setInterval(expired, Math.min(timeoutMs, LONGEST_TIMER_MS)).unref();
  }

  /** The promise. Whoever asks for it waits: from then on, the bound holds the process between two attempts. */
  wait(): Promise<R> {
    this.#timer?.ref();
    return this.#promise;
  }

  resolve(resource: R): void {
    this.#stop();
    this.#settle?.resolve(resource);
  }

  reject(error: SecretsError): void {
    this.#stop();
    this.#settle?.reject(error);
  }

  #stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
