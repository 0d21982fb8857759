import { isSecretsError, SecretsError, type SecretsErrorCode } from '../errors';
import { describeError } from '../internal/describe-error';
import { bounded, deadline } from '../internal/time';
import type { Snapshot } from '../store/types';
import type { Lifecycle, RotatingOptions } from './types';

/** Builds within the bound. `late` gets a resource that comes after it. Throws `BUILD_FAILED`. */
export async function build<R, V>(
  lifecycle: Lifecycle<R, V>,
  snapshot: Snapshot<V>,
  { name, buildTimeoutMs }: Required<RotatingOptions>,
  signal: AbortSignal,
  late: (resource: R) => void,
): Promise<R> {
  const bound = deadline(signal, buildTimeoutMs);
  const building = (async () => lifecycle.build(snapshot, bound.signal))();
  let expired = false;
  try {
    return await bounded(building, buildTimeoutMs, () => {
      expired = true;
      return new SecretsError(
        'BUILD_FAILED',
        `building the new ${name} took longer than ${buildTimeoutMs} ms`,
      );
    });
  } catch (error) {
    if (expired) building.then(late, () => {});
    throw known(error, 'BUILD_FAILED', `building the new ${name} failed`);
  } finally {
    bound.release();
  }
}

/** Verifies within the bound. Throws `VERIFY_FAILED` and `VERIFY_TIMEOUT`. */
export async function verify<R, V>(
  lifecycle: Lifecycle<R, V>,
  resource: R,
  { name, verifyTimeoutMs }: Required<RotatingOptions>,
  signal: AbortSignal,
): Promise<void> {
  if (lifecycle.verify === undefined || signal.aborted) return;
  const bound = deadline(signal, verifyTimeoutMs);
  const verifying = (async () => lifecycle.verify?.(resource, bound.signal))();
  try {
    await bounded(verifying, verifyTimeoutMs, () => {
      const what = `the new ${name} did not prove itself within ${verifyTimeoutMs} ms`;
      return new SecretsError('VERIFY_TIMEOUT', what, { next: 'The old one keeps serving.' });
    });
  } catch (error) {
    throw known(error, 'VERIFY_FAILED', `the new ${name} did not work`);
  } finally {
    bound.release();
  }
}

function known(error: unknown, code: SecretsErrorCode, what: string): SecretsError {
  if (isSecretsError(error)) return error;
  return new SecretsError(code, `${what}: ${describeError(error)}`, {
    next: 'It is tried again; the old one serves.',
  });
}
