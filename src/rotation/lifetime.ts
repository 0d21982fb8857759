import { SecretsError } from '../errors';
import { unrefTimer } from '../internal/time';

const MAX_TIMER_MS = 2_147_483_647;

/** The promise of the first resource, with its time limit. */
export class Readiness<R> {
  readonly #promise: Promise<R>;
  #settle: { resolve(resource: R): void; reject(error: SecretsError): void } | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor() {
    this.#promise = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    // Events report failures to callers that do not await this promise.
    this.#promise.catch(() => {});
  }

  /** Starts the time limit. `late` makes the error with which the promise then rejects. */
  within(timeoutMs: number, late: () => SecretsError): void {
    const expired = () => {
      if (timeoutMs <= MAX_TIMER_MS) this.reject(late());
    };
    this.#timer = setInterval(expired, Math.min(timeoutMs, MAX_TIMER_MS)).unref();
  }

  /** Returns the promise. From the first call on, the timer keeps the process alive between attempts. */
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

/** Runs a close once, even if it is called again, or from within itself. */
export class Closing {
  #promise: Promise<void> | undefined;

  get started(): boolean {
    return this.#promise !== undefined;
  }

  /** Runs `close` the first time; every call returns the same promise. */
  once(close: () => void | Promise<void>): Promise<void> {
    if (this.#promise !== undefined) return this.#promise;
    let settle: (closed: Promise<void>) => void = () => {};
    // Set before `close` runs: it may call something that closes again.
    this.#promise = new Promise((resolve) => {
      settle = resolve;
    });
    settle((async () => close())());
    return this.#promise;
  }
}

/** Work that a close waits for. */
export class UnderWay {
  readonly #work = new Set<Promise<void>>();

  /** Runs `work`, which must never reject. It is counted before it starts, because it may close its own resource. */
  run(work: () => Promise<void>): void {
    let settle = () => {};
    const done = new Promise<void>((resolve) => {
      settle = resolve;
    });
    this.#work.add(done);
    void work().finally(() => {
      this.#work.delete(done);
      settle();
    });
  }

  /** Resolves when all work has ended, including work that started while this waited. */
  async over(): Promise<void> {
    while (this.#work.size > 0) await Promise.all(this.#work);
  }
}

/** A wait that can be ended early. */
export class Pause {
  #end = () => {};

  wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = unrefTimer(ms, resolve);
      this.#end = () => {
        cancel();
        resolve();
      };
    });
  }

  end(): void {
    this.#end();
  }
}

export function notReadyError(name: string): SecretsError {
  const facts = { resource: name, next: 'Await its `ready` promise before you use it.' };
  return new SecretsError('ROTATION_NOT_READY', `the ${name} is not ready yet`, facts);
}

export function closedError(name: string): SecretsError {
  return new SecretsError('ROTATION_CLOSED', `the ${name} is closed`, { resource: name });
}
