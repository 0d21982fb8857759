import { isSecretsError, SecretsError } from '../errors';
import { describeError } from '../internal/describe-error';
import { kindOf } from '../internal/options';
import { bounded } from '../internal/time';
import type { Lifecycle, OnDispose } from './types';

// What is called here is the user's code and may never settle; `close()` must.
const DISPOSE_TIMEOUT_MS = 30_000;

type Report = (error: SecretsError) => void;

/** What one build opened, as far as it registered it. */
export class Opened {
  readonly #name: string;
  readonly #report: Report;
  #disposers: (() => unknown)[] = [];
  #isOver = false;

  constructor(name: string, report: Report) {
    this.#name = name;
    this.#report = report;
  }

  /** The third argument of a build. */
  readonly onDispose: OnDispose = (disposer) => {
    if (typeof disposer !== 'function') {
      throw new SecretsError('OPTION_INVALID', `onDispose needs a function, not ${kindOf(disposer)}`, {
        resource: this.#name,
        next: 'Call onDispose(() => connection.close()).',
      });
    }
    this.#disposers.push(disposer);
    // The build was given up and still runs: nothing would close this later.
    if (this.#isOver) void this.dispose();
  };

  /** Runs what was registered, the last first, each within the time limit. Never rejects. */
  async dispose(): Promise<void> {
    this.#isOver = true;
    for (const disposer of this.#disposers.splice(0).reverse()) {
      await within(disposer, this.#name, this.#report);
    }
  }
}

/** Disposes a resource, then calls the functions that its build registered. Reports errors to `report`, and never rejects. */
export async function dispose<R, V>(
  resource: R,
  opened: Opened | undefined,
  lifecycle: Lifecycle<R, V>,
  name: string,
  report: Report,
): Promise<void> {
  await within(() => lifecycle.dispose?.(resource), name, report);
  await opened?.dispose();
}

async function within(disposer: () => unknown, name: string, report: Report): Promise<void> {
  const late = () => {
    const what = `closing the old ${name} took longer than ${DISPOSE_TIMEOUT_MS} ms`;
    return new SecretsError('DISPOSE_FAILED', what);
  };
  try {
    await bounded((async () => disposer())(), DISPOSE_TIMEOUT_MS, late);
  } catch (error) {
    const what = `closing the old ${name} failed with ${describeError(error)}`;
    report(isSecretsError(error) ? error : new SecretsError('DISPOSE_FAILED', what));
  }
}
